"""``[variants]``, ``[sweep]`` and ``[compare]``: which rows there are, what each trains, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cgl_ignite.catalogue import bind_rows, load_pipeline
from cgl_ignite.config.dump import fingerprint
from cgl_ignite.config.load import Document, load_document
from cgl_ignite.config.rows import reference_among
from cgl_ignite.errors import ConfigError

DIGITS = Path(__file__).resolve().parents[2] / "pipelines" / "digits_resnet.toml"
AXIS = '[sweep]\n"method.choose.probability" = [0.25, 1.0]\n'


def document(tmp_path: Path, text: str = "", *overrides: str, small: bool = False) -> Document:
    path = tmp_path / "mine.toml"
    path.write_text(f'extends = "{DIGITS.as_posix()}"\n{text}', encoding="utf-8")
    return load_document(path, overrides, small=small)


def rows(tmp_path: Path, text: str, *overrides: str, methods: Any = None, small: bool = False) -> dict[str, Any]:
    return dict(bind_rows(document(tmp_path, text, *overrides, small=small), methods).pipelines)


def test_an_axis_alone_is_one_curve_of_the_pipeline(tmp_path: Path) -> None:
    bound = bind_rows(document(tmp_path, AXIS))
    assert list(bound.pipelines) == ["probability=0.25", "probability=1.0"]
    assert [one.method.choose.probability for one in bound.pipelines.values()] == [0.25, 1.0]
    assert [row.place.curve for row in bound.plan.rows.values()] == ["cgl", "cgl"]
    assert {row.place.against for row in bound.plan.rows.values()} == {"probability=0.25"}


def test_several_axes_are_a_grid_and_values_may_have_labels(tmp_path: Path) -> None:
    text = AXIS + '"run.epochs" = { values = [5, 10], labels = ["short", "long"] }\n'
    found = rows(tmp_path, text)
    assert {name: (one.method.choose.probability, one.run.epochs) for name, one in found.items()} == {
        "probability=0.25 short": (0.25, 5), "probability=0.25 long": (0.25, 10),
        "probability=1.0 short": (1.0, 5), "probability=1.0 long": (1.0, 10),
    }  # fmt: skip


def test_a_variant_may_have_other_values_on_an_axis(tmp_path: Path) -> None:
    """They replace those of [sweep], whose name they keep; a fault in them is told where they stand."""
    text = (
        '[sweep]\n"method.choose.probability" = { values = [0.25, 1.0], name = "p" }\n[variants.large]\n'
        'backbone.width = 4\nsweep."method.choose.probability" = [0.5, 1.0, 0.75]\n'
    )
    bound = bind_rows(document(tmp_path, text))
    assert {name: one.method.choose.probability for name, one in bound.pipelines.items()} == {
        "base p=0.25": 0.25, "base p=1.0": 1.0, "large p=0.5": 0.5, "large p=1.0": 1.0, "large p=0.75": 0.75,
    }  # fmt: skip
    assert bound.plan.rows["large p=1.0"].place.against == "base p=1.0"
    assert bound.plan.rows["large p=1.0"].place.changes == {"backbone.width": 4}
    with pytest.raises(
        ConfigError, match=r"mine\.toml:6: variants\.large\.sweep\.method\.choose\.probability: must be"
    ):
        rows(tmp_path, text.replace("0.75", "7"))
    with pytest.raises(
        ConfigError, match=r"variants\.large\.sweep\.method\.choose\.probability: 1\.0 stands there twice"
    ):
        rows(tmp_path, text.replace("0.75", "1.0"))


def test_an_axis_crossed_with_methods_is_one_curve_a_method(tmp_path: Path) -> None:
    text = (
        '[compare]\nmethods = ["baseline", "dml", "cgl"]\nconstant = ["baseline"]\n[sweep]\nmethod.students = [2, 4]\n'
    )
    bound = bind_rows(document(tmp_path, text))
    assert {name: one.method.students for name, one in bound.pipelines.items()} == {
        "baseline": 1, "dml students=2": 2, "dml students=4": 4, "cgl students=2": 2, "cgl students=4": 4,
    }  # fmt: skip
    places = {name: row.place for name, row in bound.plan.rows.items()}
    assert [place.curve for place in places.values()] == ["baseline", "dml", "dml", "cgl", "cgl"]
    assert {place.against for place in places.values()} == {"baseline"}
    assert places["cgl students=4"].points["students"].number == 4


def test_a_row_is_measured_against_the_reference_at_its_own_point(tmp_path: Path) -> None:
    text = '[compare]\nmethods = ["baseline", "cgl"]\n[sweep]\n"optim.learning_rate" = [1e-3, 1e-2]\n'
    plan = bind_rows(document(tmp_path, text)).plan
    assert plan.rows["cgl learning_rate=0.01"].place.against == "baseline learning_rate=0.01"


def test_where_each_variant_reads_other_data_its_first_point_is_the_reference(tmp_path: Path) -> None:
    """And all variants have the same reference to name in the table."""
    text = f'{AXIS}[compare]\nbase = "digits"\n[variants.colour]\n"data.kind" = "cifar10"\n'
    places = {name: row.place for name, row in bind_rows(document(tmp_path, text)).plan.rows.items()}
    assert {name: place.against for name, place in places.items()} == {
        "digits probability=0.25": "digits probability=0.25", "digits probability=1.0": "digits probability=0.25",
        "colour probability=0.25": "colour probability=0.25", "colour probability=1.0": "colour probability=0.25",
    }  # fmt: skip
    assert reference_among(list(places), places) == "probability=0.25"


def test_a_variant_changes_any_table_with_dotted_keys_or_tables(tmp_path: Path) -> None:
    text = '[variants.large]\n"backbone.width" = 32\noptim.learning_rate = 0.5\n[variants.large.data]\nlimit = 600\n'
    bound = bind_rows(document(tmp_path, text))
    base, large = bound.pipelines["base"], bound.pipelines["large"]
    assert base == load_pipeline(DIGITS, ["name=mine"])
    assert (large.backbone.width, large.optim.learning_rate, large.data.limit) == (32, 0.5, 600)
    assert large.optim.batch_size == base.optim.batch_size and large.method == base.method
    assert bound.plan.rows["large"].place.against == "base"
    assert bound.plan.rows["large"].place.changes == {
        "backbone.width": 32, "optim.learning_rate": 0.5, "data.limit": 600,
    }  # fmt: skip


def test_variants_and_methods_are_crossed(tmp_path: Path) -> None:
    text = '[compare]\nbase = "digits"\nmethods = ["baseline", "cgl"]\n[variants.few.data]\nlimit = 600\n'
    bound = bind_rows(document(tmp_path, text))
    assert list(bound.pipelines) == ["digits baseline", "digits cgl", "few baseline", "few cgl"]
    assert bound.plan.rows["few cgl"].place.against == "few baseline"
    assert list(rows(tmp_path, text.replace('"digits"', '""'))) == ["few baseline", "few cgl"]
    assert list(rows(tmp_path, text, methods=["dml"])) == ["digits dml", "few dml"]


def test_another_kind_in_a_variant_drops_the_options_of_the_old_one(tmp_path: Path) -> None:
    found = rows(tmp_path, '[variants.all]\nmethod.choose = { kind = "others" }\n')
    assert (found["all"].method.choose.kind, found["all"].method.choose.options) == ("others", {})


def test_small_lies_over_the_rest_and_under_set(tmp_path: Path) -> None:
    text = AXIS + '[small]\nrun.epochs = 2\n"data.limit" = 500\n[small.sweep]\n"method.choose.probability" = [0.5]\n'
    assert [one.run.epochs for one in rows(tmp_path, text).values()] == [40, 40]
    (name, small), *others = rows(tmp_path, text, "data.limit=400", small=True).items()
    assert (name, small.run.epochs, small.data.limit, others) == ("probability=0.5", 2, 400, [])


def test_small_without_its_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="small: is no table"):
        document(tmp_path, small=True)


def test_a_run_ignores_the_tables_of_a_comparison(tmp_path: Path) -> None:
    text = AXIS + "[variants.large.backbone]\nwidth = 32\n[compare]\nbase = 'x'\n[small.run]\nepochs = 1\n"
    with_tables = load_pipeline(document(tmp_path, text).path)
    assert fingerprint(with_tables) == fingerprint(load_pipeline(DIGITS))


PROBABILITY, METHODS = "sweep.method.choose.probability", "[compare]\nmethods = ['dml', 'cgl']\n"
FAULTS = {
    "an unknown key": ('[sweep]\n"method.studnets" = [2, 4]', ":3: sweep.method.studnets", "did you mean 'students'"),
    "an unknown table": ('[sweep]\n"methd.students" = [2]', ":3: sweep.methd.students", "did you mean 'method'"),
    "out of range": (AXIS.replace("1.0", "1.5"), f":3: {PROBABILITY}", "at most 1, not 1.5"),
    "one key twice": (AXIS + "method.choose.probability = [0.1]", f":4: {PROBABILITY}", "stands there twice"),
    "a key within another": ('[sweep]\n"run" = [1]\n"run.epochs" = [1]', ":3: sweep.run", "within another"),
    "a value twice": (AXIS.replace("1.0", "0.25"), f":3: {PROBABILITY}", "0.25 stands there twice"),
    "no list": ('[sweep]\n"run.epochs" = 3', ":3: sweep.run.epochs", "must be a list of values"),
    "no values": ('[sweep]\n"run.epochs" = []', ":3: sweep.run.epochs", "must be a list of values"),
    "no axis": ("sweep = 3", ":2: sweep", "must be a table"),
    "too few labels": ('[sweep]\n"run.epochs" = {values = [1, 2], labels = ["a"]}', ":3: sweep.run.epochs", "2 differ"),
    "no effect": ('[sweep]\n"run.threads" = [1, 2]', ":3: sweep.run.threads", "changes no result"),
    "a variant like the base": ("[variants.same.run]\nepochs = 40", ":2: variants.same", "changes no result"),
    "an empty variant": ("[variants.same]", ":2: variants.same", "changes nothing"),
    "a variant called base": ("[variants.base.run]\nepochs = 3", ":2: variants.base", "compare.base"),
    "a bad variant": ("[variants.x.run]\nepochs = 0", ":3: variants.x.run.epochs", "at least 1, not 0"),
    "no variant": ("[variants]\nx = 3", ":3: variants.x", "must be a table such as [variants.x]"),
    "set in vain": (AXIS + "[variants.x]\nmethod.choose.probability = 0.5", ":5: variants.x.method", "set in vain"),
    "of some methods": (METHODS + AXIS, f":5: {PROBABILITY}", "(with dml)"),
    "an unknown method": ("[compare]\nmethods = ['clg']", ":3: compare.methods", "did you mean 'cgl'"),
    "an unknown option": ("[compare]\nequl = 'cost'", ":3: compare.equl", "did you mean 'equal'"),
    "an equal amount": ("[compare]\nequal = 'cost=much'", ":3: compare.equal", "such as cost=2.5T, not 'cost=much'"),
    "a constant that is not there": (METHODS + "constant = ['one']", ":4: compare.constant", "'dml' or 'cgl'"),
    "no table of the paper": ("[compare]\npaper = 'table9'", ":3: compare.paper", "'table2'"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "where", "hint"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_told_once_with_its_line_and_key(tmp_path: Path, text: str, where: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_pipeline(document(tmp_path, text).path)
    (problem,) = caught.value.problems
    assert where in str(problem) and hint in str(problem)
