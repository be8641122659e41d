from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgl_ignite.config.dump import toml_value
from cgl_ignite.config.load import Document, load_document, merge
from cgl_ignite.errors import ConfigError

PIPELINE = """\
name = "trial"   # a comment = not a key
seeds = [
  1,  # one
  2,
]

[data]
kind = "digits"
augment = { kind = "crop_flip", padding = 1 }
text = \"\"\"
[not.a.table]
\"\"\"

[method.ramp]
start = 0.1
loss.temperature = 2.0
"""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("pipelines"), "empty.toml", "")


def faults(path: Path, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_document(path, overrides)
    return [str(problem) for problem in caught.value.problems]


def test_every_key_knows_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, "p.toml", PIPELINE)
    lines = {key: origin.removeprefix(f"{path}:") for key, origin in load_document(path).origins.items()}
    assert lines == {
        "name": "1",
        "seeds": "2",
        "data": "7",
        "data.kind": "8",
        "data.augment": "9",
        "data.augment.kind": "9",
        "data.augment.padding": "9",
        "data.text": "10",
        "method.ramp": "14",
        "method.ramp.start": "15",
        "method.ramp.loss": "16",
        "method.ramp.loss.temperature": "16",
    }


@pytest.mark.parametrize("change", [lambda text: text.replace("\n", "\r\n"), lambda text: "\ufeff" + text])
def test_files_of_other_editors_are_read_alike(tmp_path: Path, change) -> None:
    plain = load_document(write(tmp_path, "p.toml", PIPELINE))
    assert load_document(write(tmp_path, "p.toml", change(PIPELINE))) == plain


def test_where_falls_back_to_the_table_then_to_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "p.toml", PIPELINE)
    document = load_document(path)
    assert document.where("data.holdout") == f"{path}:7"
    assert document.where("run.epochs") == str(path)


def test_name_is_the_file_unless_the_file_says_so(tmp_path: Path) -> None:
    assert load_document(write(tmp_path, "one.toml", "")).name == "one"
    assert load_document(write(tmp_path, "one.toml", 'name = "two"')).name == "two"


def test_extends_lies_beneath(tmp_path: Path) -> None:
    write(tmp_path, "base/all.toml", "[run]\nepochs = 1\npasses_per_epoch = 1\n")
    write(tmp_path, "base/image.toml", 'extends = "all.toml"\n[run]\nepochs = 2\n[optim]\nkind = "adam"\n')
    path = write(tmp_path, "p.toml", 'extends = "base/image.toml"\n[run]\ndevice = "cpu"\n')
    document = load_document(path)
    assert document.tree == {
        "run": {"epochs": 2, "passes_per_epoch": 1, "device": "cpu"},
        "optim": {"kind": "adam"},
    }
    assert document.where("run.epochs") == f"{tmp_path}/base/image.toml:3"
    assert document.where("run.passes_per_epoch") == f"{tmp_path}/base/all.toml:3"
    assert document.where("run.device") == f"{path}:3"
    assert document.name == "p"


def test_extends_in_a_circle(tmp_path: Path) -> None:
    write(tmp_path, "a.toml", 'extends = "b.toml"')
    write(tmp_path, "b.toml", '\nextends = "a.toml"')
    (fault,) = faults(tmp_path / "a.toml")
    assert fault.startswith(f"{tmp_path}/b.toml:2: extends: goes round in a circle: ")


@pytest.mark.parametrize(
    ("value", "message"),
    [('"no.toml"', "there is no file"), ('"."', "there is no file"), ('["a", "b"]', "must be the path")],
)
def test_extends_what_is_not_there(tmp_path: Path, value: str, message: str) -> None:
    path = write(tmp_path, "p.toml", f"seeds = [1]\nextends = {value}\n")
    (fault,) = faults(path)
    assert fault.startswith(f"{path}:2: extends: {message}")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert "cannot read the pipeline file (No such file" in faults(tmp_path / "no.toml")[0]
    assert "cannot read the pipeline file" in faults(tmp_path)[0]
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    assert "is not UTF-8" in faults(tmp_path / "binary.toml")[0]


@pytest.mark.parametrize(
    ("text", "line"), [("a = 1\nb =\n", 2), ("a = 1\n\na = 2\n", 3), ("[x\n", 1), ("a = one\n", 1)]
)
def test_faults_of_syntax_name_the_line(tmp_path: Path, text: str, line: int) -> None:
    path = write(tmp_path, "p.toml", text)
    (fault,) = faults(path)
    assert fault.startswith(f"{path}:{line}: is not valid TOML: ")


@pytest.mark.parametrize(
    ("override", "tree"),
    [
        ("run.epochs=3", {"run": {"epochs": 3}}),
        ("optim.learning_rate = 1e-3", {"optim": {"learning_rate": 1e-3}}),
        ("data.kind=cifar10", {"data": {"kind": "cifar10"}}),
        ("data.root=/some/where", {"data": {"root": "/some/where"}}),
        ("data.root=C:\\data", {"data": {"root": "C:\\data"}}),
        ("tracking.uri=http://host:5000/?a=b", {"tracking": {"uri": "http://host:5000/?a=b"}}),
        ('name="with = sign"', {"name": "with = sign"}),
        ("name=2026-01-01", {"name": "2026-01-01"}),
        ("seeds=[1, 2]", {"seeds": [1, 2]}),
        ("a.b={kind = 'x', n = 2}", {"a": {"b": {"kind": "x", "n": 2}}}),
        ("method.loss.temperature_squared=false", {"method": {"loss": {"temperature_squared": False}}}),
        ("name=True", {"name": "True"}),
    ],
)
def test_overrides_are_toml_and_bare_words_are_texts(tmp_path: Path, override: str, tree: dict) -> None:
    document = load_document(write(tmp_path, "p.toml", ""), [override])
    assert document.tree == tree
    assert set(document.origins.values()) == {f"--set {override}"}


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5)


@given(st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.lists(TEXTS))
def test_any_value_can_be_set(empty: Path, value: object) -> None:
    document = load_document(empty, [f"key={toml_value(value)}"])
    assert document.tree == {"key": value}


def test_the_last_override_wins(tmp_path: Path) -> None:
    path = write(tmp_path, "p.toml", "[run]\nepochs = 1\n")
    document = load_document(path, ["run.epochs=2", "run.epochs=3"])
    assert document.tree == {"run": {"epochs": 3}}
    assert document.where("run.epochs") == "--set run.epochs=3"


def test_all_faulty_overrides_are_named_together(tmp_path: Path) -> None:
    path = write(tmp_path, "p.toml", "")
    assert faults(path, "epochs", "=3", "a b=1", "run.epochs=", "x=[1, two]", "name=fine", "#=1") == [
        "--set epochs: must be KEY=VALUE, such as --set optim.learning_rate=0.01",
        "--set =3: '' is not a key; write it with dots, such as run.epochs",
        "--set a b=1: 'a b' is not a key; write it with dots, such as run.epochs",
        "--set run.epochs=: must be KEY=VALUE, such as --set optim.learning_rate=0.01",
        "--set x=[1, two]: cannot read the value [1, two] (texts inside lists and tables need quotes)",
        "--set #=1: '#' is not a key; write it with dots, such as run.epochs",
    ]


def laid(base: dict, top: dict) -> dict:
    return merge(Document(base, {}, Path("a")), Document(top, {}, Path("b"))).tree


def test_tables_are_merged_value_by_value() -> None:
    base = {"run": {"epochs": 1, "device": "cpu"}, "seeds": [1, 2]}
    assert laid(base, {"run": {"epochs": 2}, "seeds": [3]}) == {
        "run": {"epochs": 2, "device": "cpu"},
        "seeds": [3],
    }
    assert base == {"run": {"epochs": 1, "device": "cpu"}, "seeds": [1, 2]}


def test_another_kind_drops_the_options_of_the_old_one() -> None:
    base = {"method": {"choose": {"kind": "bernoulli", "probability": 0.25}}}
    assert laid(base, {"method": {"choose": {"kind": "fixed", "size": 2}}}) == {
        "method": {"choose": {"kind": "fixed", "size": 2}}
    }
    for same in ({"probability": 0.5}, {"kind": "bernoulli", "probability": 0.5}):
        assert laid(base, {"method": {"choose": same}}) == {
            "method": {"choose": {"kind": "bernoulli", "probability": 0.5}}
        }


def test_another_kind_keeps_the_fixed_keys() -> None:
    data = {"kind": "local_images", "path": "x", "holdout": 9, "augment": {"kind": "crop_flip", "padding": 1}}
    assert laid({"data": data}, {"data": {"kind": "digits"}}) == {
        "data": {"kind": "digits", "holdout": 9, "augment": {"kind": "crop_flip", "padding": 1}}
    }


def test_the_order_of_kind_and_option_does_not_matter(tmp_path: Path) -> None:
    path = write(tmp_path, "p.toml", '[data]\nkind = "digits"\nholdout = 9\n')
    overrides = ["data.path=x", "data.kind=local_images"]
    assert load_document(path, overrides).tree == load_document(path, overrides[::-1]).tree


def test_origins_of_replaced_values_are_forgotten(tmp_path: Path) -> None:
    path = write(tmp_path, "p.toml", '[method]\nchoose = { kind = "bernoulli", probability = 0.5 }\n')
    document = load_document(path, ["method.choose.kind=nobody"])
    assert "method.choose.probability" not in document.origins
    assert document.where("method.choose.kind") == "--set method.choose.kind=nobody"


def test_a_table_and_a_value_replace_each_other() -> None:
    assert laid({"run": 3}, {"run": {"epochs": 1}}) == {"run": {"epochs": 1}}
    assert laid({"run": {"epochs": 1}}, {"run": 3}) == {"run": 3}
