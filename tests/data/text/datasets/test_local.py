from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.data import DataSource, Look, Splits, characters, look_at, prepare
from cgl_ignite.data.text.cache import files as cache
from cgl_ignite.data.text.datasets.local import local_text
from cgl_ignite.errors import InputError


def split(source: DataSource) -> Splits:
    return prepare(source, holdout=0, limit=None, seed=1, encoding=characters(length=40))


def texts(source: DataSource, part: str = "train") -> list[tuple[str, str]]:
    parts = split(source)
    rows = parts.train if part == "train" else parts.test()
    assert parts.tokenizer is not None
    names = [source.classes[target] for target in rows.targets.tolist()]
    return list(zip(names, parts.tokenizer.decode(parts.normaliser(rows.inputs)), strict=True))


def read(tmp_path: Path, name: str, content: str, **options: Any) -> DataSource:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return local_text(tmp_path / "root", path=str(path), **options)


MANY = "".join(f"{'good' if n % 4 else 'bad'},text {n}\n" for n in range(40))


def test_a_file_is_divided_with_classes_keeping_their_shares(tmp_path: Path) -> None:
    source = read(tmp_path, "mine.csv", MANY, test_fraction=0.3)
    assert source.classes == ("bad", "good")
    train, test = texts(source), texts(source, "test")
    assert sorted(train + test) == sorted(("good" if n % 4 else "bad", f"text {n}") for n in range(40))
    assert (len(train), len(test)) == (28, 12)
    assert sum(name == "bad" for name, _ in test) == 3
    assert texts(local_text(tmp_path / "elsewhere", path=str(tmp_path / "mine.csv"), test_fraction=0.3)) == train


def test_columns_by_name(tmp_path: Path) -> None:
    header = "id,stars,title,body\n"
    content = header + "".join(f"{n},{n % 2},title {n},body {n}\n" for n in range(10))
    source = read(tmp_path, "mine.csv", content, label="stars", text=["body", "title"])
    assert source.classes == ("0", "1")
    assert all(text.split()[1] == text.split()[3] and text.startswith("body") for _, text in texts(source))


def test_columns_by_number_and_a_header(tmp_path: Path) -> None:
    content = "id\tkind\n" + "".join(f"text {n}\t{'xy'[n % 2]}\n" for n in range(10))
    source = read(tmp_path, "mine.tsv", content, label=2, header=True)
    assert source.classes == ("x", "y")
    assert len(texts(source)) == 8


def test_train_and_test_files_and_their_order(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "train.csv").write_text("10,ten\n9,nine\n", encoding="utf-8")
    (folder / "test.csv.gz").write_bytes(gzip.compress(b"9,another\n"))
    source = local_text(tmp_path, path=str(folder))
    assert source.classes == ("9", "10")
    assert texts(source) == [("10", "ten"), ("9", "nine")]
    assert texts(source, "test") == [("9", "another")]


def test_names_are_given_or_listed(tmp_path: Path) -> None:
    content = "".join(f"{1 + n % 3},text {n}\n" for n in range(12))
    assert read(tmp_path, "a/mine.csv", content, classes=["one", "two", "three"]).classes == ("one", "two", "three")
    (tmp_path / "a" / "classes.txt").write_text("uno\ndos\ntres\n")
    source = local_text(tmp_path, path=str(tmp_path / "a" / "mine.csv"))
    assert source.classes == ("uno", "dos", "tres")
    assert {(name, int(text.split()[1]) % 3) for name, text in texts(source)} == {("uno", 0), ("dos", 1), ("tres", 2)}
    named = read(tmp_path, "b.csv", "".join(f"{'ab'[n % 2]},x\n" for n in range(9)), classes=["b", "a", "c"])
    assert named.classes == ("b", "a", "c")
    assert texts(named)[0][0] in "ab"


def test_a_first_text_longer_than_the_standard_library_allows(tmp_path: Path) -> None:
    assert read(tmp_path, "mine.csv", f"good,{'x' * 2**18}\n" + MANY).classes == ("bad", "good")


def test_a_quote_inside_a_column_and_a_new_line_at_the_end(tmp_path: Path) -> None:
    source = read(tmp_path, "mine.TSV", 'a\t5" pipe\n' * 9 + 'b\t"two\nlines"\n' * 9)
    assert {text for _, text in texts(source)} == {'5" pipe', "two lines"}


def test_written_new_lines_stay_or_are_read(tmp_path: Path) -> None:
    content = "a,one\\ntwo\nb,x\n" * 5
    assert ("a", "one\N{REPLACEMENT CHARACTER}ntwo") in texts(read(tmp_path, "mine.csv", content))
    assert ("a", "one two") in texts(read(tmp_path, "mine.csv", content, escaped_newlines=True))


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (MANY, {"label": 3}, "data.label = 3: {path} has the columns 1 to 2"),
        (MANY, {"text": [0]}, "data.text = 0: {path} has the columns 1 to 2"),
        (
            "id,kind\n1,x\n",
            {"label": "kinds"},
            "data.label = 'kinds' is not in the header of {path}; did you mean 'kind'?;",
        ),
        (
            "a,a\n1,x\n",
            {"label": "a"},
            "data.label = 'a' stands more than once in the header of {path}; its",
        ),
        (
            MANY,
            {"label": "good", "header": False},
            "data.label = 'good': {path} has no header, so columns",
        ),
        ("a,x\na,y\n", {}, "{path} holds one class only, 'a'; is data.label the right column?"),
        ("".join(f"{n},x\n" for n in range(40)), {}, "{path} holds 40 classes in 40 rows; is data.label the right"),
        ("a\nb\n", {}, "{path} has no column of text beside column 1, the label; is data.delimiter right?"),
        ("a,x\nb,y\nc,z\n", {"classes": ["a", "b"]}, "{path}, row 3: the class 'c' is not 'a' or 'b'"),
        ("h,t\na,x\nc,z\n", {"classes": ["a", "b"], "header": True}, "{path}, row 3: the class 'c' is not"),
        ("1,x\n3,z\n", {"classes": ["a", "b"]}, "{path}, row 2: the class '3' is not '1' or '2'"),
        ("a,x\nb,y\n", {}, "{path}: no row of class"),
        ("a,x\nb,y\n,z\n", {}, "{path}, row 3: the column of the class is empty"),
        (MANY, {"classes": ["good", "bad", "good"]}, "data.classes names the class 'good' twice"),
        (
            MANY,
            {"label": 1, "text": [1, 2]},
            "data.text = [1, 2] must name each column once, and not the one of data.label",
        ),
        (MANY, {"text": [2, 2]}, "data.text = [2, 2] must name each column once"),
        (MANY, {"delimiter": "é"}, "data.delimiter = 'é' must be one ASCII character"),
        (MANY, {"delimiter": '"'}, "data.delimiter = '\"' must be one ASCII character, and neither a quote"),
        ("", {}, "{path} holds no rows"),
        (MANY, {"text": [1, 2]}, "data.text = [1, 2]: {path} has no column left for data.label"),
        ("\na,x\n", {"header": True}, "{path} holds no rows"),
        ("label,text\n", {}, "{path} holds no rows"),
        (MANY, {"escape": ","}, "data.escape = ',' is the delimiter of {path} too"),
        ('a,"' + "x" * 2**22, {}, "{path}, row 1 cannot be read, or a quote is never closed: field larger"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, content: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as raised:
        read(tmp_path, "mine.csv", content, **options)
    assert str(raised.value).startswith(message.format(path=tmp_path / "mine.csv"))


def test_a_class_of_the_test_file_that_nobody_teaches(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("a,x\nb,y\n")
    (tmp_path / "test.csv").write_text("a,x\nc,y\n")
    with pytest.raises(InputError, match=r"test.csv, row 2: the class 'c' is not 'a' or 'b'"):
        local_text(tmp_path, path=str(tmp_path))


def test_missing_files_are_named_with_the_layout(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"there is no file or folder .*nowhere\nexpected one of:\n  nowhere/train.csv"
    ):
        local_text(tmp_path, path=str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match=r"holds no file train.csv or train.tsv"):
        local_text(tmp_path, path=str(tmp_path))
    (tmp_path / "train.csv").touch()
    (tmp_path / "train.tsv.gz").touch()
    with pytest.raises(InputError, match=r"train.csv and train.tsv.gz are there both"):
        local_text(tmp_path, path=str(tmp_path))


def test_ag_news_as_it_is(text_root: Path, tmp_path: Path) -> None:
    """Counts as in the readme of the data."""
    source = local_text(tmp_path, path=str(text_root / "ag_news_csv"))
    assert source.classes == ("World", "Sports", "Business", "Sci/Tech")
    parts = split(source)
    assert parts.train.targets.bincount().tolist() == [3163, 1257, 1280, 3114]
    assert parts.test().targets.bincount().tolist() == [1900] * 4


def write_parts(folder: Path, **parts: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in parts.items():
        (folder / name.replace("_", ".")).write_text(content, encoding="utf-8")
    return folder


GOOD = "topic,text,notes\n" + "bad,cold,x\ngood,warm,x\n" * 6
SWAPPED = "topic,notes,text\nbad,y,cold\ngood,y,warm\n"


def test_each_table_is_read_by_its_own_header(tmp_path: Path) -> None:
    folder = write_parts(tmp_path / "mine", train_csv=GOOD, test_csv=SWAPPED, val_csv="notes,text,topic\nz,hot,good\n")
    source = local_text(tmp_path, path=str(folder), label="topic", text=["text"])
    assert texts(source, "test") == [("bad", "cold"), ("good", "warm")]
    assert source.holdout is not None
    assert texts(replace(source, train=source.holdout())) == [("good", "hot")]
    assert "test.csv: label = column 1 (topic), text = column 3 (text)" in source.notes
    left_out = local_text(tmp_path, path=str(folder))
    assert texts(left_out, "test") == [("bad", "cold y"), ("good", "warm y")]


def test_columns_given_by_number_stay_numbers(tmp_path: Path) -> None:
    folder = write_parts(tmp_path / "mine", train_csv=GOOD, test_csv=SWAPPED)
    source = local_text(tmp_path, path=str(folder), label=1, text=[2])
    assert texts(source, "test") == [("bad", "y"), ("good", "y")]


@pytest.mark.parametrize(
    ("test", "options", "message"),
    [
        (
            "topic,body\nbad,cold\n",
            {"label": "topic", "text": ["text"]},
            "data.text = 'text' is not in the header of {}",
        ),
        (
            "topic,text,text\nbad,a,b\n",
            {"text": ["text"]},
            "data.text = 'text' stands more than once in the header of {}",
        ),
        ("bad,cold,x\ngood,warm,x\n", {"label": "topic"}, "data.label = 'topic' is not in the header of {}"),
        ("topic,text\nbad,cold\n", {}, "{} lacks 'notes', which train.csv has as text; its header is: 'topic', 'text'"),
        ("topic,text,notes,more\nbad,cold,x,y\n", {}, "{} has column 4 (more), which train.csv lacks"),
        ("bad,cold\ngood,warm\n", {}, "{} has 2 columns, train.csv has 3"),
        ("topic,text,notes\nugly,cold,x\n", {}, "{}, row 2: the class 'ugly' is not 'bad' or 'good'"),
        ("topic,text,notes\nbad,cold,x\nbad,x\n", {}, "{}, row 3: 2 columns, there should be 3"),
        ("topic,text,notes\nbad,cold,x\nbad,caf\udce9,x\n", {}, "{}, row 3: byte 0xe9 at position 3"),
    ],
)
@pytest.mark.parametrize("name", ["test.csv", "dev.csv"])
def test_a_further_table_that_does_not_fit_is_refused_before_training(
    tmp_path: Path, test: str, options: dict[str, Any], message: str, name: str
) -> None:
    folder = write_parts(tmp_path / "mine", train_csv=GOOD)
    (folder / name).write_bytes(test.encode(errors="surrogateescape"))
    with pytest.raises(InputError) as raised:
        local_text(tmp_path, path=str(folder), **options)
    assert str(raised.value).startswith(message.format(folder / name))


def test_a_test_table_may_lack_the_header(tmp_path: Path) -> None:
    folder = write_parts(tmp_path / "mine", train_csv=GOOD, test_csv="bad,cold,x\ngood,warm,x\n")
    source = local_text(tmp_path, path=str(folder))
    assert texts(source, "test") == [("bad", "cold x"), ("good", "warm x")]
    assert "test.csv: row 1 is not taken as a header, unlike that of train.csv" in source.notes


def test_a_running_number_that_one_table_alone_has_does_not_matter(tmp_path: Path) -> None:
    numbered = ",topic,text\n" + "".join(f"{row},{('bad', 'good')[row % 2]},text {row}\n" for row in range(8))
    folder = write_parts(tmp_path / "mine", train_csv=numbered, test_csv="text,topic\nhello,bad\n")
    assert texts(local_text(tmp_path, path=str(folder)), "test") == [("bad", "hello")]
    folder = write_parts(tmp_path / "mine", train_csv="text,topic\nhello,bad\nbye,good\n" * 1, test_csv=numbered)
    assert texts(local_text(tmp_path, path=str(folder)), "test")[:1] == [("bad", "text 0")]


@pytest.mark.parametrize("name", ["val.csv", "VALID.tsv", "Validation.csv.gz", "dev.tsv"])
def test_a_validation_table_is_the_holdout(tmp_path: Path, name: str) -> None:
    folder = write_parts(tmp_path / "mine", Train_CSV="a,x\nb,y\n", TEST_csv="b,z\n")
    content = "b\tw\n" if "tsv" in name else "b,w\n"
    (folder / name).write_bytes(gzip.compress(content.encode()) if name.endswith("gz") else content.encode())
    source = local_text(tmp_path, path=str(folder))
    assert source.holdout is not None
    assert texts(replace(source, train=source.holdout())) == [("b", "w")]
    assert texts(source, "test") == [("b", "z")]
    (folder / "valid.tsv.xz").touch()
    if name != "VALID.tsv":
        with pytest.raises(InputError, match="are there both; leave one of them"):
            local_text(tmp_path, path=str(folder))


def test_the_digest_follows_the_content(tmp_path: Path) -> None:
    folder = write_parts(tmp_path / "mine", train_csv=GOOD, test_csv=SWAPPED)
    before = local_text(tmp_path, path=str(folder)).digest
    assert {fact.split(":")[0] for fact in before} == {"train.csv", "test.csv"}
    assert local_text(tmp_path / "elsewhere", path=str(folder)).digest == before
    (folder / "test.csv").write_text(SWAPPED.replace("cold", "mild"), encoding="utf-8")
    after = local_text(tmp_path, path=str(folder)).digest
    assert {fact for fact in before if before[fact] != after[fact]} == {"test.csv: content"}


def test_a_digest_of_a_large_file_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_parts(tmp_path / "mine", train_csv=GOOD, test_csv=SWAPPED)
    expected = local_text(tmp_path, path=str(folder)).digest
    monkeypatch.setattr(cache, "_LARGE_BYTES", 0)
    assert local_text(tmp_path, path=str(folder)).digest == expected
    monkeypatch.setattr(cache, "content_digest", None)
    assert local_text(tmp_path, path=str(folder)).digest == expected


def test_escaped_quotes(tmp_path: Path) -> None:
    content = 'a,"say \\"no\\", please"\nb,"x"\n' * 5
    source = read(tmp_path, "mine.csv", content, escape="\\")
    assert ("a", 'say "no", please') in texts(source)
    with pytest.raises(InputError, match=r"data.escaped_newlines = true reads .n as a new line, data.escape reads it"):
        read(tmp_path, "mine.csv", content, escape="\\", escaped_newlines=True)


@pytest.mark.parametrize("names", [("mine.csv",), ("train.csv", "test.csv"), ("train.csv", "val.csv", "test.csv")])
def test_a_look_tells_what_is_read(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (tmp_path / name).write_text("label,text\n" + MANY, encoding="utf-8")
    path = tmp_path / "mine.csv" if names == ("mine.csv",) else tmp_path
    pipeline = load_pipeline(
        {
            "name": "mine",
            "data": {"kind": "local_text", "path": str(path), "holdout": 5, "encoding": {"kind": "characters"}},
            "backbone": {"kind": "vdcnn9"},
            "method": {"preset": "baseline"},
            "optim": {"kind": "adam", "learning_rate": 0.001, "batch_size": 8},
            "run": {"epochs": 1},
        }
    )
    look = look_at("local_text", pipeline.data.options, files=True)
    parts = prepare(
        local_text(tmp_path / "root", path=str(path)), holdout=5, limit=None, seed=1, encoding=characters(length=40)
    )
    assert look.classes == len(parts.classes)
    assert look.rows(5, None) == (len(parts.train), len(parts.holdout), len(parts.test()))
    assert look_at("local_text", pipeline.data.options, files=False) == Look()
