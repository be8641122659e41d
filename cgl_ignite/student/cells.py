"""The cells of a table that a student is asked about: texts, or paths of pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cgl_ignite.data.text.tables.columns import Columns, find_column
from cgl_ignite.data.text.tables.files import matching_files
from cgl_ignite.data.text.tables.head import find_format, first_rows
from cgl_ignite.data.text.tables.header import are_column_words
from cgl_ignite.data.text.tables.rows import BLOCK_BYTES, RowLayout, TableLayout
from cgl_ignite.data.text.tables.typed import TypedLayout, is_typed, schema_of
from cgl_ignite.errors import InputError

__all__ = ["Cells"]

_OF_CSV = ("delimiter", "quotes", "escape", "charset")


class Cells:
    """The rows of tables, each the cells of some columns joined with a space, read block by block.

    Args:
        given: files or patterns of files, in any form that a table of texts may have.
        columns: by their names, or by their numbers from 1.
        options: how the tables that the student was trained on are written.

    Raises:
        InputError: a file or a column that is missing.
    """

    def __init__(self, given: Sequence[str], columns: Sequence[str], options: Mapping[str, Any]) -> None:
        self._tables = [
            (path, _layout(path, columns, options)) for one in given for path in matching_files(one, "INPUT")
        ]

    def __iter__(self) -> Iterator[tuple[Path, str, float]]:
        """Yield the table and the text of each row, and how much has been read, from 0 to 1.

        Raises:
            InputError: a table that is damaged.
        """
        for number, (path, layout) in enumerate(self._tables):
            for batch, done in layout.batches(path, layout.text, BLOCK_BYTES):
                cells = [batch.column(str(place)).to_pylist() for place in layout.text]
                for row in zip(*cells, strict=True):
                    yield path, " ".join(row), (number + done) / len(self._tables)


def _layout(path: Path, columns: Sequence[str], options: Mapping[str, Any]) -> RowLayout:
    if is_typed(path):
        names = tuple(schema_of(path).names)
        places = _places(Columns(path, names, header=True, typed=True), columns)
        return TypedLayout(names, places[0], places)
    form, _ = find_format(path, *(options.get(name) for name in _OF_CSV))
    first = first_rows(path, form)[0]
    header = not all(map(str.isdecimal, columns)) or are_column_words([cell.strip() for cell in first])
    places = _places(Columns(path, first, header), columns)
    return TableLayout(
        columns=len(first),
        label=places[0],
        text=places,
        delimiter=form.delimiter,
        header=header,
        quotes=form.quotes,
        escape=form.escape,
        charset=form.charset,
    )


def _places(columns: Columns, wanted: Sequence[str]) -> tuple[int, ...]:
    if not wanted:
        raise InputError(f"{columns.path} is a table: --column names the column to read; {columns.fault()}")
    names = columns.names or []
    return tuple(
        find_column(columns, "--column", int(one) if one.isdecimal() and one not in names else one) for one in wanted
    )
