"""The column of the weights in tables of every form: which rows have which weight, and what is no weight."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from cgl_ignite.data import DataSource, characters, look_at, prepare
from cgl_ignite.data.text.datasets.local import local_text
from cgl_ignite.errors import InputError

Rows = list[dict[str, Any]]
FORMS = ["csv", "tsv", "jsonl", "parquet"]


def rows_with(*weights: Any, **columns: list[Any]) -> Rows:
    """Rows of two classes in turn, whose texts are their numbers."""
    rows = []
    for number, weight in enumerate(weights):
        row = {"topic": "ab"[number % 2], "body": f"text {number}", "share": weight}
        rows.append(row | {name: values[number] for name, values in columns.items()})
    return rows


def write(rows: Rows, path: Path) -> str:
    if path.suffix == ".parquet":
        parquet.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        between = "\t" if path.suffix == ".tsv" else ","
        lines = [rows[0], *(["" if cell is None else cell for cell in row.values()] for row in rows)]
        path.write_text("".join(between.join(map(str, line)) + "\n" for line in lines))
    return str(path)


def read(path: str, **options: Any) -> DataSource:
    return local_text(Path(path).parent, path=path, weight="share", test_fraction=0.2, **options)


def weights_by_text(source: DataSource, **options: Any) -> dict[str, float]:
    """The weight of each training row as students see it, by its text."""
    parts = prepare(source, **{"holdout": 2, "limit": None, "seed": 1, **options}, encoding=characters(length=20))
    assert parts.tokenizer is not None
    assert parts.train.weights is not None
    assert parts.holdout.weights is None
    assert parts.test().weights is None
    texts = parts.tokenizer.decode(parts.train.inputs.padded())  # type: ignore[union-attr]
    return dict(zip(texts, parts.train.weights.tolist(), strict=True))


@pytest.mark.parametrize("form", FORMS)
def test_weights_go_with_their_rows_and_have_the_mean_one(tmp_path: Path, form: str) -> None:
    """Row n has the weight n / 4; holdout, test set and limit take rows away, and none changes its weight."""
    source = read(write(rows_with(*(number / 4 for number in range(40))), tmp_path / f"mine.{form}"))
    for options in ({}, {"limit": 20}):
        found = weights_by_text(source, **options)
        numbers = {text: int(text.removeprefix("text ")) for text in found}
        mean = sum(numbers.values()) / len(numbers)
        assert found == pytest.approx({text: number / mean for text, number in numbers.items()})
    assert len(weights_by_text(source)) == 40 - 8 - 2
    assert f"mine.{form}: weight = column 3 (share), from 0 to 9.75" in source.notes


def test_the_column_of_the_weights_is_no_text_and_no_label(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("".join(f"{1 + number % 3},{'ab'[number % 2]},line {number}\n" for number in range(30)))
    source = local_text(tmp_path, path=str(path), weight=1, test_fraction=0.2)
    assert source.classes == ("a", "b")
    assert "mine.csv: label = column 2, text = column 3" in source.notes


def test_several_files_and_a_column_of_parts(tmp_path: Path) -> None:
    """Only rows of the training part need a weight."""
    weights = [2.0] * 10 + [4.0] * 10
    parts = ["train", "train", "val", "test", "test"] * 4
    given = [weight if part == "train" else None for weight, part in zip(weights, parts, strict=True)]
    rows = rows_with(*given, split=parts)
    paths = [write(rows[:10], tmp_path / "one.csv"), write(rows[10:], tmp_path / "two.csv")]
    source = local_text(tmp_path, path=paths, weight="share")
    found = weights_by_text(source)
    assert found == pytest.approx({f"text {n}": 2 / 3 if n < 10 else 4 / 3 for n in (0, 1, 5, 6, 10, 11, 15, 16)})


def test_the_other_parts_need_no_column(tmp_path: Path) -> None:
    write(rows_with(*range(20)), tmp_path / "train.csv")
    write([{"topic": row["topic"], "body": row["body"]} for row in rows_with(*range(6))], tmp_path / "test.csv")
    found = weights_by_text(local_text(tmp_path, path=str(tmp_path), weight="share"))
    assert found == pytest.approx(
        {text: int(text.split()[1]) * len(found) / sum(int(text.split()[1]) for text in found) for text in found}
    )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("weight", "fault"),
    [(-0.5, "'-0.5' is below 0"), (None, "is missing"), ("much", "'much' is no number"), ("1_0", "'1_0' is no number")],
)
def test_what_is_no_weight(tmp_path: Path, form: str, weight: Any, fault: str) -> None:
    given: list[Any] = [1.5] * 20
    given[7] = weight
    if isinstance(weight, str):
        given = list(map(str, given))
    path = write(rows_with(*given), tmp_path / f"mine.{form}")
    row = 8 + (form in ("csv", "tsv"))
    expected = (
        rf"mine\.{form}, row {row}: the weight {fault}; column 3 \(share\) \(data.weight\) holds numbers from 0 on"
    )
    with pytest.raises(InputError, match=expected):
        read(path)
    with pytest.raises(InputError, match=expected):
        look_at("local_text", {"path": path, "weight": "share"}, files=True)


@pytest.mark.parametrize(
    ("weight", "fault"), [("inf", "infinite"), ("1e999", "infinite"), ("nan", "no number"), ("-inf", "below 0")]
)
def test_numbers_that_are_no_weights(tmp_path: Path, weight: str, fault: str) -> None:
    path = write(rows_with(*[1.0] * 30, weight), tmp_path / "mine.csv")
    with pytest.raises(InputError, match=rf"mine\.csv, row 32: the weight '{weight}' is {fault};"):
        read(path)


def test_the_row_at_fault_in_the_second_file(tmp_path: Path) -> None:
    paths = [write(rows_with(*[1] * 9), tmp_path / "one.csv"), write(rows_with(1, 1, -1), tmp_path / "two.csv")]
    with pytest.raises(InputError, match=r"two\.csv, row 4: the weight '-1' is below 0"):
        local_text(tmp_path, path=paths, weight="share")


def test_weights_that_are_all_zero(tmp_path: Path) -> None:
    path = write(rows_with(*[0] * 20), tmp_path / "mine.csv")
    with pytest.raises(InputError, match=r"mine\.csv: the weights of all training rows in column 3 \(share\) are 0"):
        read(path)


def test_training_rows_whose_weights_are_all_zero(tmp_path: Path) -> None:
    """A single row of forty has a weight, and it is not the one row that the holdout leaves."""
    source = read(write(rows_with(1, *[0] * 39), tmp_path / "mine.csv"))
    with pytest.raises(InputError, match=r"data\.weight: the weights of all 1 training rows are 0"):
        weights_by_text(source, holdout=31)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"weight": "shares"}, r"data\.weight = 'shares' is not in the header of .*did you mean 'share'"),
        ({"weight": 9}, r"data\.weight = 9: .* has the columns 1 to 3"),
        ({"weight": "topic", "label": "topic"}, r"data\.weight = 'topic': column 1 \(topic\) of .* something else"),
        ({"weight": "body", "text": ["body"]}, r"data\.weight = 'body': column 2 \(body\) of .* something else"),
    ],
)
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_columns_that_are_no_weights(tmp_path: Path, form: str, options: dict[str, Any], fault: str) -> None:
    path = write(rows_with(*range(20)), tmp_path / f"mine.{form}")
    with pytest.raises(InputError, match=fault):
        local_text(tmp_path, path=path, **options)


@pytest.mark.parametrize("form", FORMS)
def test_a_table_that_is_only_judged_may_have_weights_or_not(tmp_path: Path, form: str) -> None:
    """The same texts are read, and no weight is."""
    rows = rows_with(*range(20))
    rows[3]["share"] = -1
    without = [{"topic": row["topic"], "body": row["body"]} for row in rows]
    paths = [write(rows, tmp_path / f"with.{form}"), write(without, tmp_path / f"without.{form}")]
    read_texts = []
    for path in paths:
        source = local_text(tmp_path, path=path, weight="share", test_fraction=1)
        parts = prepare(source, holdout=0, limit=None, seed=1, encoding=characters(length=20))
        read_texts.append(parts.test().inputs.padded().tolist())  # type: ignore[union-attr]
    assert read_texts[0] == read_texts[1]
