from __future__ import annotations

import random
from pathlib import Path

import pytest

from cgl_ignite.data.text.tables.columns import Columns, find_column, find_text, left_out, same_columns
from cgl_ignite.errors import InputError

TABLE = Path("table.csv")
OTHER = Path("test.csv")
SHUFFLED = random.Random(1).sample(range(1000), 40)


def columns(*names: str, path: Path = TABLE) -> Columns:
    return Columns(path, names, header=True)


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("", range(40)),
        ("", ["same"] * 40),
        ("Unnamed: 0", range(40)),
        ("Unnamed: 0.1", SHUFFLED),
        ("row", range(100, 140)),
        ("anything", range(1, 41)),
        ("anything", SHUFFLED),
        ("anything", [f"{number}.0" for number in range(40)]),
        ("anything", [*range(20), *range(20)]),
        ("review_id", [f"R{number * 7919 % 1000}x" for number in range(40)]),
        ("ID", SHUFFLED),
    ],
)
def test_what_numbers_the_rows_is_no_text(name: str, cells: list[object]) -> None:
    rows = [("good", str(cell), "a text") for cell in cells]
    assert left_out(columns("label", name, "text"), rows, [1, 2]).keys() == {1}
    text, notes = find_text(columns("label", name, "text"), rows, 0, None)
    assert text == (2,)
    assert notes[0].startswith(f"column 2 ({name or 'no name'}) is not read")
    assert find_text(columns("label", name or "x", "text"), rows, 0, [2, 3]) == ((1, 2), [])


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("text", [f"text {number}" for number in range(40)]),
        ("year", [1990 + number * 7 % 20 for number in range(40)]),
        ("size", [f"{number / 7:.3f}" for number in range(40)]),
        ("id", ["same"] * 40),
        ("id", [f"two words {number}" for number in range(40)]),
        ("idea", [f"idea{number}" for number in range(40)]),
        ("text", ["1", "2"]),
    ],
)
def test_what_says_something_is_text(name: str, cells: list[object]) -> None:
    assert not left_out(columns("label", name), [("good", str(cell)) for cell in cells], [1])


def test_a_table_of_numbers_alone_holds_no_text() -> None:
    with pytest.raises(InputError, match=r"has no column of text beside column 1 \(label\), the label: column 2"):
        find_text(columns("label", "id"), [("good", str(number)) for number in range(9)], 0, None)


@pytest.mark.parametrize("wanted", ["Text", "texts", 4, 0])
def test_a_missing_column_is_named_with_the_header(wanted: str | int) -> None:
    with pytest.raises(InputError) as raised:
        find_column(columns("label", "text", "text"), "data.text", wanted)
    assert "table.csv" in str(raised.value)
    assert isinstance(wanted, int) or "its header is: 'label', 'text', 'text'" in str(raised.value)


def test_a_doubled_column_is_named_with_the_header() -> None:
    with pytest.raises(InputError, match=r"'text' stands more than once in the header of table.csv; its header"):
        find_column(columns("label", "text", "text"), "data.text", "text")


def test_columns_of_another_table_are_found_by_their_names() -> None:
    train = columns("label", "title", "body")
    rows = [("x", "b", "good", "t")] * 5
    assert same_columns(columns("", "body", "label", "title", path=OTHER), rows, 2, train, (1, 2)) == (3, 1)


def test_columns_of_the_text_that_one_table_lacks_are_named() -> None:
    train = columns("label", "title", "body")
    with pytest.raises(InputError, match=r"test.csv lacks 'title' and 'body', which table.csv has as text; its header"):
        same_columns(columns("label", "text", path=OTHER), [], 0, train, (1, 2))
    rows = [("good", "t", "b", "n")] * 5
    with pytest.raises(InputError, match=r"test.csv has column 4 \(notes\), which table.csv lacks; data.text names"):
        same_columns(columns("label", "title", "body", "notes", path=OTHER), rows, 0, train, (1, 2))


def test_without_names_columns_are_found_by_place_if_there_are_as_many() -> None:
    train, plain = columns("label", "title", "body"), Columns(OTHER, ("good", "t", "b"), header=False)
    assert same_columns(plain, [], 0, train, (1, 2)) == (1, 2)
    with pytest.raises(InputError, match=r"test.csv has 2 columns, table.csv has 3"):
        same_columns(Columns(OTHER, ("good", "t"), header=False), [], 0, train, (1, 2))
