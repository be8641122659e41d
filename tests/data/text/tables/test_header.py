from __future__ import annotations

import csv
from pathlib import Path

import pytest

from cgl_ignite.data.text.tables.table import Request, TextTable, open_table
from cgl_ignite.errors import InputError

REQUEST = Request(
    label=None, text=None, header=None, delimiter=None, quotes=True, escape=None, escaped_newlines=False, classes=()
)
TEXTS = ["a warm place", "cold and far away", "we will come back soon", "never again", "the people were nice"]


def opened(tmp_path: Path, rows: list[tuple[object, ...]], **changes: object) -> TextTable:
    path = tmp_path / "table.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return open_table(path, Request(**{**vars(REQUEST), **changes}))


def labelled(labels: str, **columns: str) -> list[tuple[object, ...]]:
    return [(label, TEXTS[row % 5], *columns) for row, label in enumerate(labels.split())]


@pytest.mark.parametrize(
    ("first", "labels", "classes"),
    [
        (("label", "text"), "good bad good bad", {"good", "bad"}),
        (("Class", "Review Text"), "1 2 2 1", {"1", "2"}),
        (("LABEL", "text"), "a b c d e", {"a", "b", "c", "d", "e"}),
        (("kategorie", "inhalt"), "gut gut schlecht schlecht", {"gut", "schlecht"}),
        (("note", "inhalt"), "1 2 3", {"1", "2", "3"}),
        (("kategorie", "inhalt"), "gut gut schlecht schlecht egal", {"gut", "schlecht", "egal"}),
    ],
)
def test_a_first_row_that_is_a_header_is_no_class(
    tmp_path: Path, first: tuple[str, str], labels: str, classes: set[str]
) -> None:
    table = opened(tmp_path, [first, *labelled(labels)])
    assert set(table.found) == classes
    assert len(table.codes) == len(labels.split())
    assert [table.found[code] for code in table.codes] == labels.split()
    assert "table.csv: row 1 is taken as the header (data.header = false overrules this)" in table.notes


@pytest.mark.parametrize(
    "labels",
    [
        "good bad good bad",
        "good bad bad bad good",
        "1 2 3 4",
        "7 2 2 2 1 1",
        "label label text text",
        "title review title review",
        "a b c",
        "-1 1 1 0 0",
    ],
)
def test_a_first_row_with_an_ordinary_class_is_data(tmp_path: Path, labels: str) -> None:
    table = opened(tmp_path, labelled(labels))
    assert [table.found[code] for code in table.codes] == labels.split()
    assert not table.layout.header
    assert not any("row 1" in note for note in table.notes)


@pytest.mark.parametrize("text", ["The place was fine, and the food was warm.", "never again", "42", "so " * 20])
def test_a_class_with_one_row_is_kept_if_its_text_is_no_name(tmp_path: Path, text: str) -> None:
    table = opened(tmp_path, [("rare", text), *labelled("good bad good bad good")])
    assert table.found == ["rare", "good", "bad"]
    assert any("no other row has the class of row 1, 'rare'; row 1 is read as data" in note for note in table.notes)


def test_what_is_said_of_the_header_overrules_what_is_found_out(tmp_path: Path) -> None:
    rows = [("label", "text"), *labelled("good bad good bad")]
    table = opened(tmp_path, rows, header=False)
    assert table.found == ["label", "good", "bad"]
    assert not any("header" in note for note in table.notes)
    table = opened(tmp_path, labelled("good bad good bad"), header=True)
    assert table.found == ["bad", "good"]
    assert len(table.codes) == 3


def test_known_classes_tell_that_the_first_row_is_data(tmp_path: Path) -> None:
    rows = [("topic", "text"), *labelled("good bad good bad")]
    assert opened(tmp_path, rows, classes=("topic", "good", "bad")).found == ["topic", "good", "bad"]


@pytest.mark.parametrize(
    ("names", "label"),
    [
        (("text", "label"), 1),
        (("id", "title", "Category"), 2),
        (("tweet", "airline_sentiment"), 1),
        (("text", "label_text", "label"), 2),
        (("inhalt", "Label"), 1),
        (("label", "class"), 0),
        (("rating", "text", "topic"), 2),
    ],
)
def test_the_label_is_the_column_with_the_most_usual_name(tmp_path: Path, names: tuple[str, ...], label: int) -> None:
    rows = []
    for row in range(12):
        cells = [f"{TEXTS[row % 5]} {row * place}" for place in range(len(names))]
        cells[label] = ("good", "bad")[row % 2]
        rows.append(tuple(cells))
    table = opened(tmp_path, [names, *rows])
    assert table.layout.label == label
    assert set(table.found) == {"good", "bad"}


def test_a_header_alone_is_no_data(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no rows"):
        opened(tmp_path, [("label", "text")])
