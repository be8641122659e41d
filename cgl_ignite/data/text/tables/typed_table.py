"""Opening a Parquet, Arrow or JSON Lines table: its columns are known by name and type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from cgl_ignite.data.text.tables.columns import (
    Columns,
    find_column,
    find_label,
    find_text,
    same_columns,
    weight_columns,
)
from cgl_ignite.data.text.tables.division import Division, find_division
from cgl_ignite.data.text.tables.rows import BLOCK_BYTES, labels_of
from cgl_ignite.data.text.tables.table import Request, TextTable, division_notes, named
from cgl_ignite.data.text.tables.typed import TypedLayout, class_names, schema_of
from cgl_ignite.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["open_typed"]

_FIRST = 1000
_OF_CSV = ("delimiter", "charset", "quotes", "escape")


def open_typed(path: Path, request: Request, train: TextTable | None = None) -> TextTable:
    """Open a table with typed columns; what was found out of the training table holds for it.

    Without ``data.text``, the text is all columns of texts but the label and those that identify the rows.

    Raises:
        InputError: a file that cannot be read, a column that is missing or holds lists or objects, an option that is
            for CSV files only, or columns of the text that only one of the two tables has.
    """
    _refuse_options_of_csv(path, request)
    schema = schema_of(path)
    columns = Columns(path, schema.names, header=True, typed=True)
    label, division = _label(path, columns, request, train)
    used = [] if division is None else [division.place]
    used += weight_columns(columns, request.weight, needed=request.weighs) if train is None else []
    text, left = _text(path, columns, schema, label, request, used, train)
    classes, several = class_names(schema, schema.names[label]), request.label_separator is not None
    layout = TypedLayout(tuple(schema.names), label, text, classes, escaped=request.escaped_newlines, lists=several)
    notes = [*left, *division_notes(columns, division, request)]
    if train is None or (label, text) != (train.layout.label, train.layout.text):
        notes.append(f"label = {columns.shown(label)}, text = {columns.shown(*text)}")
    return TextTable(path, columns, layout, *labels_of(path, layout), named(path, notes), division, classes)


def _refuse_options_of_csv(path: Path, request: Request) -> None:
    given = [name for name in _OF_CSV if getattr(request, name) is not None]
    given += ["header"] if request.header is False else []
    if given:
        raise InputError(f"data.{given[0]} is for CSV files, but {path} is none: leave it out")


def _label(path: Path, columns: Columns, request: Request, train: TextTable | None) -> tuple[int, Division | None]:
    """Find the column of the label, and the one that tells the parts."""

    def divided(used: Sequence[int]) -> Division | None:
        return find_division(
            columns, request.split, used, request.text, lambda place: labels_of(path, _alone(columns, place))
        )

    if request.label is None and train is not None and train.columns.names is not None:
        label = find_column(columns, "data.label", train.columns.names[train.layout.label])
        return label, divided([label])
    if request.label is not None:
        label = find_column(columns, "data.label", request.label)
        return label, divided([label])
    division = divided([])
    others = [] if division is None else [division.place]
    others += weight_columns(columns, request.weight, needed=request.weighs)
    return find_label(columns, None, [*(request.text or ()), *(place + 1 for place in others)]), division


def _text(
    path: Path,
    columns: Columns,
    schema: pa.Schema,
    label: int,
    request: Request,
    used: Sequence[int],
    train: TextTable | None,
) -> tuple[tuple[int, ...], list[str]]:
    if request.text is not None:
        return find_text(columns, [], label, request.text)
    if train is not None and train.columns.names is not None:
        wanted = [train.columns.names[place] for place in train.layout.text]
        if {*wanted} <= {*(columns.names or ())}:
            return tuple(find_column(columns, "data.text", name) for name in wanted), []
        return same_columns(columns, [], label, train.columns, train.layout.text), []
    texts = [place for place, field in enumerate(schema) if _is_text(field.type) and place not in (label, *used)]
    others = [place for place in columns.places if place not in (label, *used, *texts)]
    rows = _first_rows(path, columns, texts) if texts else []
    found, notes = find_text(columns, rows, label, None, [*used, *others])
    if others:
        verb = "is" if len(others) == 1 else "are"
        notes.append(
            f"{columns.shown(*others)} {verb} not read, as only columns of texts are (data.text overrules this)"
        )
    return found, notes


def _is_text(kind: pa.DataType) -> bool:
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _first_rows(path: Path, columns: Columns, texts: Sequence[int]) -> list[list[str]]:
    """Read the cells of the columns of texts; the others are empty."""
    rows: list[list[str]] = []
    layout = replace(_alone(columns, texts[0]), text=tuple(texts))
    for batch, _ in islice(layout.batches(path, texts, BLOCK_BYTES), 1):
        cells = {place: batch.column(str(place)).slice(0, _FIRST).to_pylist() for place in texts}
        count = min(len(batch), _FIRST)
        rows = [[cells[place][row] if place in cells else "" for place in columns.places] for row in range(count)]
    return rows


def _alone(columns: Columns, place: int) -> TypedLayout:
    return TypedLayout(tuple(schema_of(columns.path).names), place, ())
