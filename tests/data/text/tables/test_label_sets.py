"""Tables whose rows have several labels: what is read, and what is refused in one message before the training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from cgl_ignite.data import DATASETS, DataSource
from cgl_ignite.data.text.cache.store import read_targets
from cgl_ignite.errors import InputError

ROWS: list[tuple[str, list[str]]] = [
    ("one", ["late", "rude"]),
    ("two", []),
    ("three", ["price"]),
    ("four", ["rude", "late"]),
    ("five", ["late"]),
    ("six", ["price", "late"]),
]


def read(path: Path, **options: Any) -> DataSource:
    given = {"label": "tags", "text": ["text"], "test_fraction": 1, "task": "multi_label", **options}
    return DATASETS.get("local_text")(path.parent, path=str(path), **given)


def labels_of(source: DataSource) -> list[set[str]]:
    """The labels of each training row, by their names."""
    assert source.label_sets is not None
    rows = source.label_sets[read_targets(source.train)].tolist()  # type: ignore[arg-type]
    return [{name for name, held in zip(source.classes, row, strict=True) if held} for row in rows]


def csv(path: Path, rows: list[tuple[str, str]]) -> Path:
    path.write_text("text,tags\n" + "".join(f'{text},"{tags}"\n' for text, tags in rows))
    return path


def fault(path: Path, **options: Any) -> str:
    with pytest.raises(InputError) as raised:
        read(path, **options)
    return str(raised.value)


def test_every_form_gives_the_same_labels(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": text, "tags": tags}) + "\n" for text, tags in ROWS))
    table = pa.table({"text": [text for text, _ in ROWS], "tags": [tags or None for _, tags in ROWS]})
    pq.write_table(table, tmp_path / "a.parquet")
    csv(tmp_path / "a.csv", [(text, " ; ".join(tags)) for text, tags in ROWS])
    csv(tmp_path / "b.csv", [(text, "|".join(tags)) for text, tags in ROWS])
    expected = [set(tags) for _, tags in ROWS]
    for name, options in (("a.jsonl", {}), ("a.parquet", {}), ("a.csv", {}), ("b.csv", {"label_separator": "|"})):
        source = read(tmp_path / name, **options)
        assert source.classes == ("late", "price", "rude")
        assert labels_of(source) == expected, name


def test_numbers_in_lists_are_sorted_as_numbers(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a", "tags": [10, 2]}\n{"text": "b", "tags": []}\n')
    source = read(tmp_path / "a.jsonl")
    assert (source.classes, labels_of(source)) == (("2", "10"), [{"2", "10"}, set()])


def test_a_separator_inside_a_label_of_a_list_separates_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a", "tags": ["x; y", "z"]}\n')
    assert labels_of(read(tmp_path / "a.jsonl")) == [{"x; y", "z"}]


def test_several_labels_where_one_is_expected(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": text, "tags": tags}) + "\n" for text, tags in ROWS))
    expected = (
        "column 'tags' holds lists; one value per row is expected (data.task = 'multi_label' reads several labels)"
    )
    assert fault(tmp_path / "a.jsonl", task="single_label").endswith(expected)
    path = csv(tmp_path / "a.csv", [("a", "['x', 'y']"), ("b", "['x']"), ("c", "['y']")])
    assert "one class per row is expected (data.task = 'multi_label'" in fault(path, task="single_label")


def test_one_label_where_several_are_expected(tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv", [("a", "x|y"), ("b", "x"), ("c", "y")])
    assert "no row has several labels with ';' between them" in fault(path)
    assert "give data.label_separator, or leave data.task out" in fault(path)
    assert labels_of(read(path, label_separator="|")) == [{"x", "y"}, {"x"}, {"y"}]


def test_other_faults_are_told_with_their_row(tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv", [("a", "x;y"), ("b", "['x', 'y']")])
    assert "row 3: the labels \"['x', 'y']\" are a list written as text; put ';' between them" in fault(path)
    path = csv(tmp_path / "b.csv", [("a", "x;y"), ("b", "nan")])
    assert "row 3: the label 'nan' is what programs write for a missing value; leave the cell empty" in fault(path)
    path = csv(tmp_path / "c.csv", [("a", "x;y"), ("b", "x;w")])
    assert "row 3: the label 'w' is not 'x' or 'y'" in fault(path, classes=["x", "y"])
    assert "holds fewer than two labels" in fault(csv(tmp_path / "d.csv", [("a", "x;x"), ("b", "x;")]), classes=["x"])
    (tmp_path / "e.jsonl").write_text('{"text": "a", "tags": ["x", null]}\n')
    assert "column 'tags' holds lists with a missing or unknown label" in fault(tmp_path / "e.jsonl")
    (tmp_path / "e.jsonl").write_text('{"text": "a", "tags": ["x", " "]}\n')
    assert "column 'tags' holds lists with a missing or unknown label" in fault(tmp_path / "e.jsonl")
    assert "is for several labels per row: set data.task" in fault(path, task="single_label", label_separator="|")


def test_a_label_of_the_test_part_that_was_never_learned(tmp_path: Path) -> None:
    csv(tmp_path / "train.csv", [("a", "x;y"), ("b", "")])
    csv(tmp_path / "test.csv", [("a", "x"), ("b", "x;w")])
    assert "test.csv, row 3: the label 'w' is not 'x' or 'y'" in fault(tmp_path / ".")


def test_images_with_several_labels(tmp_path: Path) -> None:
    lines = ["file_name,tags,split"]
    for row, (name, tags) in enumerate(ROWS):
        Image.new("RGB", (8, 8), (row, 0, 0)).save(tmp_path / f"{name}.png")
        lines.append(f"{name}.png,{';'.join(tags)},{'test' if row == 5 else 'train'}")
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    source = DATASETS.get("local_images")(
        tmp_path, path=str(tmp_path), table="labels.csv", label="tags", task="multi_label"
    )
    assert source.label_sets is not None
    named = [
        {name for name, held in zip(source.classes, row, strict=True) if held}
        for part in (source.train, source.test())
        for row in source.label_sets[part.targets].tolist()  # type: ignore[union-attr]
    ]
    assert named == [set(tags) for _, tags in ROWS]
    (tmp_path / "folders" / "a").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "folders" / "a" / "one.png")
    with pytest.raises(InputError, match="several labels per image stand in a table"):
        DATASETS.get("local_images")(tmp_path, path=str(tmp_path / "folders"), task="multi_label")
