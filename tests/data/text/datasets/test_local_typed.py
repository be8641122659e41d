"""Tables in Parquet, Arrow and JSON Lines, in several files, and divided by a column."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from pyarrow import csv, feather, parquet

from cgl_ignite.data import DataSource, characters, look_at, prepare
from cgl_ignite.data.text.datasets.local import local_text
from cgl_ignite.errors import InputError

TABLE = pa.table(
    {
        "id": list(range(40)),
        "topic": ["bad" if n % 4 == 0 else "good" for n in range(40)],
        "title": [f"title {n}" for n in range(40)],
        "body": [None if n == 7 else f"line {n}\nend" for n in range(40)],
    }
)


def write_csv(table: pa.Table, path: Path) -> None:
    csv.write_csv(table.set_column(3, "body", table["body"].fill_null("")), path)


def write_lines(table: pa.Table, path: Path) -> None:
    content = "".join(json.dumps(row) + "\n" for row in table.to_pylist()).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def write_stream(table: pa.Table, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)


WRITERS: dict[str, Callable[[pa.Table, Path], Any]] = {
    "mine.csv": write_csv,
    "mine.parquet": parquet.write_table,
    "mine.jsonl": write_lines,
    "mine.jsonl.gz": write_lines,
    "mine.feather": feather.write_feather,
    "mine.arrow": write_stream,
}


def rows_of(source: DataSource) -> list[list[tuple[str, list[int]]]]:
    parts = prepare(source, holdout=0, limit=None, seed=1, encoding=characters(length=40))
    return [
        [
            (source.classes[target], ids)
            for target, ids in zip(part.targets.tolist(), part.inputs.padded().tolist(), strict=True)
        ]
        for part in (parts.train, parts.holdout, parts.test())
    ]


def texts_of(source: DataSource, part: int = 0) -> list[tuple[str, str]]:
    tokenizer = prepare(source, holdout=0, limit=None, seed=1, encoding=characters(length=40)).tokenizer
    assert tokenizer is not None
    return [(name, tokenizer.decode(torch.tensor([ids]))[0]) for name, ids in rows_of(source)[part]]


@pytest.mark.parametrize("name", [name for name in WRITERS if name != "mine.csv"])
def test_all_forms_give_the_same_ids(tmp_path: Path, name: str) -> None:
    WRITERS["mine.csv"](TABLE, tmp_path / "mine.csv")
    WRITERS[name](TABLE, tmp_path / name)
    expected, found = (local_text(tmp_path / "root", path=str(tmp_path / one)) for one in ("mine.csv", name))
    assert found.classes == expected.classes == ("bad", "good")
    assert rows_of(found) == rows_of(expected)
    assert f"{name}: label = column 2 (topic), text = columns 3 (title) and 4 (body)" in found.notes
    assert f"{name}: column 1 (id) is not read, as only columns of texts are (data.text overrules this)" in found.notes


def test_several_files_are_one_table(tmp_path: Path) -> None:
    parquet.write_table(TABLE, tmp_path / "whole.parquet")
    folder = tmp_path / "parts"
    folder.mkdir()
    parquet.write_table(TABLE.slice(0, 15), folder / "a.parquet")
    write_csv(TABLE.slice(15, 5).select(["topic", "id", "title", "body"]), folder / "b.csv")
    write_lines(TABLE.slice(20).select(["body", "title", "topic"]), folder / "c.jsonl")
    whole = local_text(tmp_path / "root", path=str(tmp_path / "whole.parquet"))
    pattern = local_text(tmp_path / "root", path=str(folder / "*.*"))
    listed = local_text(tmp_path / "root", path=[str(folder / name) for name in ("a.parquet", "b.csv", "c.jsonl")])
    assert rows_of(pattern) == rows_of(listed) == rows_of(whole)
    assert {fact.split(":")[0] for fact in pattern.digest} == {"a.parquet", "b.csv", "c.jsonl"}
    look = look_at("local_text", {"path": str(folder / "*.*"), "test_fraction": 0.2}, files=True)
    assert (look.train, look.test, look.classes) == (32, 8, 2)


def test_a_folder_with_numbered_files(tmp_path: Path) -> None:
    for number in range(2):
        parquet.write_table(TABLE.slice(20 * number, 20), tmp_path / f"train-0000{number}-of-00002.parquet")
    parquet.write_table(TABLE.slice(0, 4), tmp_path / "validation.parquet")
    parquet.write_table(TABLE.slice(0, 8), tmp_path / "test_1.parquet")
    train, holdout, test = rows_of(local_text(tmp_path / "root", path=str(tmp_path)))
    assert (len(train), len(holdout), len(test)) == (40, 4, 8)


@pytest.mark.parametrize("name", WRITERS)
def test_a_column_divides_the_rows(tmp_path: Path, name: str) -> None:
    parts = ["Train", "dev", "TEST", "train"] * 10
    WRITERS[name](TABLE.append_column("split", pa.array(parts)), tmp_path / name)
    topics = {"label": "topic", "text": ["title"]}
    source = local_text(tmp_path / "root", path=str(tmp_path / name), split="split", **topics)
    assert [len(part) for part in rows_of(source)] == [20, 10, 10]
    assert texts_of(source, 2) == [("good", f"title {n}") for n in range(2, 40, 4)]
    assert [row for row in texts_of(source) if row[0] == "bad"] == [("bad", f"title {n}") for n in range(0, 40, 4)]
    found = local_text(tmp_path / "root", path=str(tmp_path / name))
    assert [len(part) for part in rows_of(found)] == [20, 10, 10]
    told = "column 5 (split) tells the part of each row (data.split = false overrules this)"
    assert f"{name}: {told}" in found.notes
    whole = local_text(tmp_path / "root", path=str(tmp_path / name), split=False, **topics)
    assert [len(part) for part in rows_of(whole)] == [32, 0, 8]
    look = look_at("local_text", {"path": str(tmp_path / name), "test_fraction": 0.2, **topics}, files=True)
    assert (look.train, look.holdout, look.test) == (20, 10, 10)


def test_a_test_set_is_cut_off_the_training_part_of_a_divided_table(tmp_path: Path) -> None:
    write_csv(TABLE.append_column("split", pa.array(["train", "train", "train", "val"] * 10)), tmp_path / "mine.csv")
    train, holdout, test = rows_of(local_text(tmp_path / "root", path=str(tmp_path / "mine.csv")))
    assert (len(train), len(holdout), len(test)) == (24, 10, 6)
    assert not {str(row) for row in holdout} & {str(row) for row in test + train}


def features(names: Sequence[str]) -> dict[bytes, bytes]:
    """What Hugging Face ``datasets`` 5.2 writes into the schema."""
    known = {"text": {"dtype": "string", "_type": "Value"}, "label": {"names": names, "_type": "ClassLabel"}}
    return {b"huggingface": json.dumps({"info": {"features": known}}).encode()}


def save_to_disk(folder: Path, texts: Sequence[str], labels: Sequence[int]) -> None:
    folder.mkdir(parents=True)
    schema = pa.schema([("text", pa.string()), ("label", pa.int64())], features(["worse", "better"]))
    write_stream(pa.table({"text": texts, "label": labels}, schema), folder / "data-00000-of-00001.arrow")
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}))


def test_a_data_set_that_hugging_face_saved(tmp_path: Path) -> None:
    place = tmp_path / "saved"
    save_to_disk(place / "train", ["a", "b", "c"], [1, 0, 1])
    save_to_disk(place / "test", ["d", "e"], [0, 1])
    (place / "dataset_dict.json").write_text('{"splits": ["train", "test", "unsupervised"]}')
    source = local_text(tmp_path / "root", path=str(place))
    assert source.classes == ("worse", "better")
    assert texts_of(source) == [("better", "a"), ("worse", "b"), ("better", "c")]
    assert texts_of(source, 2) == [("worse", "d"), ("better", "e")]
    assert "splits that are no part are not read: unsupervised" in source.notes
    assert len({fact.rpartition(":")[0] for fact in source.digest}) == 2
    one = local_text(tmp_path / "root", path=str(place / "train"), test_fraction=1)
    assert texts_of(one) == texts_of(source)


@pytest.mark.parametrize(
    ("name", "table", "options", "message"),
    [
        ("mine.csv", {"split": ["train", "tset"] * 20}, {}, "row 3: column 5 (split) holds 'tset'.*mean 'test'"),
        ("mine.jsonl", {"split": ["train", ""] * 20}, {}, r"row 2: column 5 \(split\) holds ''"),
        ("mine.parquet", {"fold": ["1", "2"] * 20}, {"split": "fold"}, r"row 1: column 5 \(fold\) holds '1'"),
        ("mine.parquet", {}, {"split": "topic"}, r"column 2 \(topic\) as the label already"),
        ("mine.csv", {"split": ["test"] * 40}, {"split": "split"}, "no row is of the part 'train'"),
        ("mine.csv", {"split": ["train", "test", "test", "test"] * 10}, {}, "no row of class 'good' is of the part"),
        ("mine.parquet", {"many": [["a", "b"]] * 40}, {"label": "many"}, "'many' holds lists; one value per row"),
        ("mine.jsonl", {"many": [["a", "b"]] * 40}, {"label": "many"}, "'many' holds lists; one value per row"),
        ("mine.csv", {"many": ["['a', 'b']", "['a']"] * 20}, {"label": "many"}, r"row 2: the class is the list"),
        ("mine.parquet", {}, {"label": "topics"}, "data.label = 'topics' is not in the header.*mean 'topic'"),
        ("mine.parquet", {}, {"delimiter": ";"}, "data.delimiter is for CSV files"),
        ("mine.parquet", {"score": [None, *["x"] * 39]}, {"label": "score"}, "row 1: the column of the class is empty"),
    ],
)
def test_faults_are_told_before_the_training(
    tmp_path: Path, name: str, table: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    whole = TABLE
    for column, values in table.items():
        whole = whole.append_column(column, pa.array(values))
    WRITERS[name](whole, tmp_path / name)
    message = message if "\\" in message else message.replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(InputError, match=message) as raised:
        local_text(tmp_path / "root", path=str(tmp_path / name), **{"label": "topic", **options})
    assert str(tmp_path / name) in str(raised.value)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (['{"label": "a", "text": "b"}', "{oops"], "row 2 is not JSON"),
        (['[{"label": "a"}]'], "row 1 holds a list, there should be one object per line"),
        (["[{", '"label": "a"}]'], "row 1 is not JSON.*write one object per line"),
        (
            ['{"label": "a", "text": "b"}', "", '{"label": 2, "text": "b"}'],
            "row 2: 'label' holds a number, the rows above a text",
        ),
        ([""], "holds no rows"),
    ],
)
def test_faults_of_json_lines_name_the_row(tmp_path: Path, lines: list[str], message: str) -> None:
    (tmp_path / "mine.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        local_text(tmp_path / "root", path=str(tmp_path / "mine.jsonl"))


def test_a_fault_far_down_is_told_with_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cgl_ignite.data.text.tables.json_lines.BLOCK_BYTES", 100)
    lines = [json.dumps({"label": "ab"[n % 2], "text": f"text {n}"}) for n in range(50)]
    (tmp_path / "mine.jsonl").write_text("\n".join([*lines, '{"label": ["a"]}']), encoding="utf-8")
    with pytest.raises(InputError, match="row 51"):
        local_text(tmp_path / "root", path=str(tmp_path / "mine.jsonl"))
    (tmp_path / "mine.jsonl").write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    assert len(rows_of(local_text(tmp_path / "root", path=str(tmp_path / "mine.jsonl")))[0]) == 40


@pytest.mark.parametrize("name", ["mine.parquet", "mine.arrow"])
def test_a_damaged_file_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"PAR1 and no more")
    with pytest.raises(InputError, match=f"{name} cannot be read"):
        local_text(tmp_path / "root", path=str(tmp_path / name))


@pytest.mark.parametrize("name", ["mine.parquet", "mine.arrow", "mine.jsonl"])
def test_the_name_of_a_column_that_is_not_utf_8(tmp_path: Path, name: str) -> None:
    WRITERS[name](TABLE, path := tmp_path / name)
    path.write_bytes(path.read_bytes().replace(b"topic", b"t\x80pic"))
    with pytest.raises(InputError, match=name):
        local_text(tmp_path, path=str(path))


def test_values_that_are_not_utf_8(tmp_path: Path) -> None:
    WRITERS["mine.jsonl"](TABLE, path := tmp_path / "mine.jsonl")
    path.write_bytes(path.read_bytes().replace(b"title 3", b"title \xff"))
    with pytest.raises(InputError, match=r"mine\.jsonl.* UTF-?8"):
        local_text(tmp_path, path=str(path))


def test_offsets_of_an_arrow_file_that_lie_outside_its_values(tmp_path: Path) -> None:
    WRITERS["mine.arrow"](TABLE, path := tmp_path / "mine.arrow")
    content = path.read_bytes()
    offsets = TABLE["title"].combine_chunks().buffers()[1].to_pybytes()[: 4 * 41]
    assert content.count(offsets) == 1
    path.write_bytes(content.replace(offsets, offsets[:80] + b"\xff\xff\xff\x7f" + offsets[84:]))
    with pytest.raises(InputError, match=r"mine\.arrow: column .title. cannot be read"):
        local_text(tmp_path, path=str(path))


def test_a_pattern_that_matches_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"data\.path: there is no file"):
        local_text(tmp_path / "root", path=str(tmp_path / "*.parquet"))
