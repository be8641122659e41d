"""One table of labelled texts: its format, header and columns as given, or as found out from it alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from cgl_ignite.data.text.tables.columns import (
    Columns,
    find_column,
    find_label,
    find_text,
    same_columns,
    weight_columns,
)
from cgl_ignite.data.text.tables.division import Division, find_division
from cgl_ignite.data.text.tables.head import Format, find_format, first_rows
from cgl_ignite.data.text.tables.header import are_column_words, are_numbers, is_header, may_be_names
from cgl_ignite.data.text.tables.rows import RowLayout, TableLayout, labels_of
from cgl_ignite.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    _Labels: TypeAlias = tuple[list[str], NDArray[np.int64]]

__all__ = ["Request", "TextTable", "division_notes", "named", "open_like", "open_table"]

_FEW_ROWS = 3


@dataclass(frozen=True)
class Request:
    """What a pipeline says of its tables; None is found out.

    With ``label_separator`` rows have several labels, which it separates where they are no list. Without ``weighs``
    nothing is learned: the column of the weights may be missing, and is not read.
    """

    label: int | str | None
    text: Sequence[int | str] | None
    header: bool | None
    delimiter: str | None
    quotes: bool | None
    escape: str | None
    escaped_newlines: bool
    classes: Sequence[str] | None
    charset: str | None = None
    split: int | str | Literal[False] | None = None
    label_separator: str | None = None
    weight: int | str | None = None
    weighs: bool = True

    def by_name(self) -> bool:
        """Whether a column is given by its name."""
        weight = self.weight if self.weighs else None
        return any(isinstance(column, str) for column in (self.label, self.split, weight, *(self.text or ())))


@dataclass(frozen=True)
class TextTable:
    """A table whose columns are known, with all its labels.

    Args:
        path: the file.
        columns: all columns.
        layout: where in a row what stands.
        found: the different labels, in order of appearance.
        codes: which of them each row has, (N,).
        notes: what was found out, for the user.
        division: the part of each row, if a column tells it.
        classes: the names of the classes, if the file itself has a list of them.
    """

    path: Path
    columns: Columns
    layout: RowLayout
    found: list[str]
    codes: NDArray[np.int64]
    notes: tuple[str, ...]
    division: Division | None = None
    classes: tuple[str, ...] | None = None


def open_table(path: Path, request: Request) -> TextTable:
    """Open a table that tells its columns by itself.

    Raises:
        InputError: a file or column that is missing, or a damaged row.
    """
    form, notes = find_format(path, request.delimiter, request.quotes, request.escape, request.charset)
    rows = first_rows(path, form)
    header, label, labels = _find_header(path, form, rows, request)
    columns = Columns(path, rows[0], header)
    division = _division(path, form, rows, columns, label, request)
    used = [*([] if division is None else [division.place]), *_weight(columns, request)]
    text, left = find_text(columns, rows[header:], label, request.text, used)
    layout = _layout(form, columns, label, text, request)
    read = f"label = {columns.shown(label)}, text = {columns.shown(*text)}"
    notes = (*notes, *_header_notes(request, header, labels), *left, *division_notes(columns, division, request), read)
    return TextTable(path, columns, layout, *labels, named(path, notes), division)


def open_like(path: Path, request: Request, train: TextTable) -> TextTable:
    """Open a further table by its own header; what was found out of the training table holds for it.

    Raises:
        InputError: as :func:`open_table`, or columns of the text that only one of the two tables has.
    """
    form, notes = find_format(path, request.delimiter, request.quotes, request.escape, request.charset)
    rows = first_rows(path, form)
    header = _given_header(request)
    if header is None:
        header = _resembles(path, form, rows, train)
    columns, names = Columns(path, rows[0], header), train.columns.names
    label = request.label
    if label is None:
        by_name = names is not None and columns.names not in (None, names)
        label = names[train.layout.label] if names and by_name else train.layout.label + 1
    place = find_column(columns, "data.label", label)
    if request.text is None:
        text = same_columns(columns, rows[header:], place, train.columns, train.layout.text)
    else:
        text, _ = find_text(columns, rows[header:], place, request.text)
    layout = _layout(form, columns, place, text, request)
    if header != train.layout.header:
        notes = (*notes, f"row 1 is {'' if header else 'not '}taken as a header, unlike that of {train.path.name}")
    if (place, text) != (train.layout.label, train.layout.text):
        notes = (*notes, f"label = {columns.shown(place)}, text = {columns.shown(*text)}")
    division = _division(path, form, rows, columns, place, request)
    return TextTable(path, columns, layout, *labels_of(path, layout), named(path, notes), division)


def division_notes(columns: Columns, division: Division | None, request: Request) -> Iterator[str]:
    """Say that a column divides the rows, if the user did not name it."""
    if division is not None and request.split is None:
        yield f"{columns.shown(division.place)} tells the part of each row (data.split = false overrules this)"


def _division(
    path: Path, form: Format, rows: Sequence[Sequence[str]], columns: Columns, label: int, request: Request
) -> Division | None:
    header = columns.names is not None
    return find_division(
        columns, request.split, (label,), request.text, lambda place: _read_labels(path, form, rows, place, header)
    )


def _weight(columns: Columns, request: Request) -> list[int]:
    return weight_columns(columns, request.weight, needed=request.weighs)


def _given_header(request: Request) -> bool | None:
    """Tell whether there is a header if that was said, or follows from columns given by name."""
    if request.header is None and request.by_name():
        return True
    return request.header


def _find_header(
    path: Path, form: Format, rows: Sequence[Sequence[str]], request: Request
) -> tuple[bool, int, _Labels]:
    """Tell whether there is a header, which column is the label, and all labels below the header."""
    header = _given_header(request)
    ways = [header] if header is not None else [True, False] if may_be_names(rows[0]) else [False]
    labels: dict[int, _Labels] = {}
    for way in ways:
        columns = Columns(path, rows[0], way)
        others = [place + 1 for place in _weight(columns, request)]
        label = find_label(columns, request.label, [*(request.text or ()), *others])
        if label not in labels:
            labels[label] = _read_labels(path, form, rows, label, header is True)
        found, codes = labels[label]
        if header is None and is_header(rows, label, found, codes, request.classes or ()):
            if len(codes) == 1:
                raise InputError(f"{path} holds no rows")
            return True, label, (found[1:], codes[1:] - 1)
    return header is True, label, labels[label]


def _resembles(path: Path, form: Format, rows: Sequence[Sequence[str]], train: TextTable) -> bool:
    """Whether the first row is a header, as it names the label of the training table, or by its words."""
    label, names = train.layout.label, train.columns.names
    first = [cell.strip() for cell in rows[0]]
    if names is not None and names[label] in first:
        return True
    if label >= len(first) or not (are_column_words(first) or (may_be_names(first) and are_numbers(train.found))):
        return False
    return is_header(rows, label, *_read_labels(path, form, rows, label, header=False), train.found)


def _read_labels(path: Path, form: Format, rows: Sequence[Sequence[str]], label: int, header: bool) -> _Labels:
    layout = TableLayout(
        columns=len(rows[0]),
        label=label,
        text=(),
        delimiter=form.delimiter,
        header=header,
        quotes=form.quotes,
        escape=form.escape,
        charset=form.charset,
    )
    return labels_of(path, layout)


def _layout(form: Format, columns: Columns, label: int, text: tuple[int, ...], request: Request) -> TableLayout:
    return TableLayout(
        columns=len(columns.places),
        label=label,
        text=text,
        delimiter=form.delimiter,
        header=columns.names is not None,
        escaped=request.escaped_newlines,
        quotes=form.quotes,
        escape=form.escape,
        charset=form.charset,
    )


def _header_notes(request: Request, header: bool, labels: _Labels) -> Iterator[str]:
    if _given_header(request) is not None:
        return
    found, codes = labels
    if header:
        yield "row 1 is taken as the header (data.header = false overrules this)"
    elif len(codes) > _FEW_ROWS and (codes == 0).sum() == 1 and not are_numbers(found[:1]):
        alone = f"no other row has the class of row 1, {found[0]!r}"
        yield f"{alone}; row 1 is read as data (data.header = true overrules this)"


def named(path: Path, notes: Iterable[str]) -> tuple[str, ...]:
    """Put the name of the table before notes."""
    return tuple(f"{path.name}: {note}" for note in notes)
