"""Which columns of a table are the label and the text: by name, by number, or found out."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import pairwise
from pathlib import Path

from cgl_ignite.data.text.tables.header import label_column, parts_of
from cgl_ignite.errors import InputError, choices, nearest

__all__ = ["WEIGHT", "Columns", "find_column", "find_label", "find_text", "left_out", "same_columns", "weight_columns"]

WEIGHT = "data.weight"
"""The key of the column of the weights."""

_FEWEST = 3
_LONGEST = 40
_MOST_STEPS = 0.9
_ID_WORDS = {"guid", "id", "idx", "index", "key", "no", "nr", "num", "number", "row", "uuid"}


class Columns:
    """The columns of one table.

    Args:
        path: the table, for messages.
        first: its first row.
        header: whether that holds names.
        typed: whether the names stand in no row, as the file has a schema.
    """

    def __init__(self, path: Path, first: Sequence[str], header: bool, *, typed: bool = False) -> None:
        self.path = path
        self.names = [cell.strip() for cell in first] if header else None
        self.header = header and not typed
        self.places = range(len(first))
        self._first = list(first)

    def shown(self, *places: int) -> str:
        """Write columns for the user, with their names if they have some."""
        words = "column" if len(places) == 1 else "columns"
        return f"{words} {' and '.join(map(self._one, places))}"

    def _one(self, place: int) -> str:
        if self.names is None:
            return str(place + 1)
        return f"{place + 1} ({self.names[place] or 'no name'})"

    def fault(self) -> str:
        """Show the header, or that there is none, at the end of a message."""
        held = (
            "header" if self.names is not None else "first row, which is no header (data.header = true overrules this),"
        )
        return f"its {held} is: {', '.join(map(repr, self._first))}"


def find_column(columns: Columns, key: str, column: int | str) -> int:
    """Find a column, given by its number from 1 or by its name, and count it from 0.

    Raises:
        InputError: there is no such column, or more than one of that name.
    """
    path, names = columns.path, columns.names
    if isinstance(column, int):
        if column - 1 not in columns.places:
            raise InputError(f"{key} = {column}: {path} has the columns 1 to {len(columns.places)}")
        return column - 1
    if names is None:
        raise InputError(f"{key} = {column!r}: {path} has no header, so columns are given by their number")
    if names.count(column) != 1:
        there = "stands more than once in" if column in names else "is not in"
        hint = "" if column in names else nearest(column, names)
        raise InputError(f"{key} = {column!r} {there} the header of {path}{hint}; {columns.fault()}")
    return names.index(column)


def find_label(columns: Columns, label: int | str | None, text: Sequence[int | str] | None) -> int:
    """Find the column of the label: the one given, or one with a usual name, or the first that is no text.

    Raises:
        InputError: as :func:`find_column`, or no column is left.
    """
    if label is not None:
        return find_column(columns, "data.label", label)
    texts = {find_column(columns, "data.text", one) for one in text or ()}
    left = [place for place in columns.places if place not in texts]
    if not left:
        raise InputError(f"data.text = {list(text or ())}: {columns.path} has no column left for data.label")
    usual = None if columns.names is None else label_column([columns.names[place] for place in left])
    return left[usual or 0]


def weight_columns(columns: Columns, weight: int | str | None, *, needed: bool = True) -> list[int]:
    """Find the column of the weights, if there is one, counted from 0.

    Raises:
        InputError: it is needed, and :func:`find_column` does not find it.
    """
    if weight is None:
        return []
    try:
        return [find_column(columns, WEIGHT, weight)]
    except InputError:
        if needed:
            raise
        return []


def find_text(
    columns: Columns,
    rows: Sequence[Sequence[str]],
    label: int,
    text: Sequence[int | str] | None,
    used: Collection[int] = (),
) -> tuple[tuple[int, ...], list[str]]:
    """Find the columns of the text: those given, or all but the label and those that number the rows.

    Args:
        columns: of the table.
        rows: the first rows, without the header.
        label: the column of the label.
        text: numbers or names.
        used: columns that are read for something else.

    Returns:
        The columns, and a note for each that is left out.

    Raises:
        InputError: a column that is missing or named twice, or none that is left.
    """
    notes = []
    if text is None:
        free = [place for place in columns.places if place != label and place not in used]
        numbering = left_out(columns, rows, free)
        found = tuple(place for place in free if place not in numbering)
        notes = [
            f"{columns.shown(place)} is not read, as it {why} (data.text overrules this)"
            for place, why in numbering.items()
        ]
    else:
        found = tuple(find_column(columns, "data.text", one) for one in text)
    if not found:
        left = f": {'; '.join(notes)}" if notes else "; is data.delimiter right?"
        raise InputError(f"{columns.path} has no column of text beside {columns.shown(label)}, the label{left}")
    if label in found or len({*found}) < len(found):
        raise InputError(f"data.text = {text} must name each column once, and not the one of data.label")
    return found, notes


def left_out(columns: Columns, rows: Sequence[Sequence[str]], places: Sequence[int]) -> dict[int, str]:
    """Tell which columns are no text, as they have no name or number the rows, and why."""
    reasons = {}
    for place in places:
        name = None if columns.names is None else columns.names[place]
        cells = [row[place].strip() for row in rows if len(row) > place]
        if name is not None and (not name or parts_of(name)[:1] == ["unnamed"]):
            reasons[place] = "has no name"
        elif len(cells) >= _FEWEST and _numbers_rows(cells):
            reasons[place] = "holds a running number or other numbers that are all different"
        elif name and len(cells) >= _FEWEST and _identifies(name, cells):
            reasons[place] = "identifies the rows"
    return reasons


def _numbers_rows(cells: Sequence[str]) -> bool:
    """Whether cells are whole numbers that all differ, or nearly always go up by one."""
    if not all(re.fullmatch(r"[+-]?[0-9]{1,18}(\.0)?", cell) for cell in cells):
        return False
    numbers = [int(float(cell)) if "." in cell else int(cell) for cell in cells]
    steps = sum(after - before == 1 for before, after in pairwise(numbers))
    return len({*numbers}) == len(numbers) or steps >= _MOST_STEPS * (len(numbers) - 1)


def _identifies(name: str, cells: Sequence[str]) -> bool:
    """Whether a name such as ``review_id`` stands above words that all differ."""
    single = all(cell and not cell.split()[1:] for cell in cells)
    return parts_of(name)[-1:] in [[word] for word in _ID_WORDS] and single and len({*cells}) == len(cells)


def same_columns(
    columns: Columns, rows: Sequence[Sequence[str]], label: int, like: Columns, text: Sequence[int]
) -> tuple[int, ...]:
    """Find in another table the columns of the text that were found in the training table: by name, else by place.

    Args:
        columns: of the other table.
        rows: its first rows, without the header.
        label: its column of the label.
        like: the columns of the training table.
        text: those of its text.

    Raises:
        InputError: columns of the text that only one of the tables has.
    """
    if columns.names == like.names or columns.names is None or like.names is None:
        if len(columns.places) != len(like.places):
            counts = f"{len(columns.places)} columns, {like.path.name} has {len(like.places)}"
            raise InputError(f"{columns.path} has {counts}; {columns.fault()}")
        return tuple(text)
    wanted = [like.names[place] for place in text]
    if missing := [name for name in wanted if name not in columns.names]:
        fault = f"{columns.path} lacks {choices(missing).replace(' or ', ' and ')}, which {like.path.name} has as text"
        raise InputError(f"{fault}; {columns.fault()}")
    found = tuple(find_column(columns, "data.text", name) for name in wanted)
    known = {*like.names}
    rest = [place for place in columns.places if place not in (label, *found) and columns.names[place] not in known]
    if extra := [place for place in rest if place not in left_out(columns, rows, rest)]:
        fault = f"{columns.path} has {columns.shown(*extra)}, which {like.path.name} lacks"
        raise InputError(f"{fault}; data.text names the columns to read; {columns.fault()}")
    return found
