"""Rows of CSV and TSV files, plain or packed, read in blocks by arrow; faults are told with their row."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from cgl_ignite.data.text.corpus import Block
from cgl_ignite.data.text.tables.arrow import csv_batches
from cgl_ignite.data.text.tables.charset import UTF8, guess
from cgl_ignite.data.text.tables.stream import DAMAGED, STAND_IN, TableStream, opened
from cgl_ignite.errors import InputError, choices

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["BLOCK_BYTES", "RowLayout", "TableLayout", "labels_of", "read_rows"]

BLOCK_BYTES = 2**21
"""How much is parsed at once; a row that is longer cannot be read."""

_SHOWN = 12
_END = "\N{END OF TRANSMISSION}"


class RowLayout(Protocol):
    """Where in a row of a table what stands, and how the table is read; columns count from 0."""

    @property
    def label(self) -> int:
        """The column of the class."""

    @property
    def text(self) -> tuple[int, ...]:
        """The columns of the text, joined with a space."""

    @property
    def header(self) -> bool:
        """Whether the first row holds names."""

    @property
    def escaped(self) -> bool:
        """Whether a new line inside a text is written as a backslash and an n."""

    def batches(self, path: Path, columns: Sequence[int], block_bytes: int) -> Iterator[tuple[pa.RecordBatch, float]]:
        """Read these columns as text, named by their numbers, and tell how much has been read, from 0 to 1."""


@dataclass(frozen=True)
class TableLayout:
    """Where in a row what stands; columns count from 0.

    Args:
        columns: how many a row has.
        label: the column of the class.
        text: the columns of the text, joined with a space.
        delimiter: what separates columns.
        header: the first row holds names.
        escaped: a new line inside a text is written as a backslash and an n.
        quotes: quotes enclose a column, with those inside doubled.
        escape: the character after this one is taken as it is, be it a quote or a delimiter.
        charset: the character set of the file; None: UTF-8, whatever the user says.
    """

    columns: int
    label: int
    text: tuple[int, ...]
    delimiter: str = ","
    header: bool = False
    escaped: bool = False
    quotes: bool = True
    escape: str | None = None
    charset: str | None = None

    def batches(self, path: Path, columns: Sequence[int], block_bytes: int) -> Iterator[tuple[pa.RecordBatch, float]]:
        """Parse block by block; any fault is explained in a second, slower reading.

        Raises:
            InputError: a file that cannot be read, or a damaged row, with its number from 1.
        """
        return _batches(path, self, columns, block_bytes)


def read_rows(
    path: Path, layout: RowLayout, labels: Mapping[str, int], *, block_bytes: int = BLOCK_BYTES
) -> Iterator[Block]:
    """Read all rows in order.

    Args:
        path: a table.
        layout: its columns.
        labels: the number of each class by what stands in the label's column.
        block_bytes: how much is parsed at once.

    Raises:
        InputError: a file that cannot be read, or a damaged row, with its number from 1.
    """
    import pyarrow.compute as pc

    row = 1 + layout.header
    for batch, done in layout.batches(path, (layout.label, *layout.text), block_bytes):
        found, codes = _coded(batch.column(str(layout.label)))
        numbers = np.array([labels.get(label, -1) for label in found], np.int64)
        targets = numbers[codes]
        if (numbers < 0).any():
            first = int(np.flatnonzero(targets < 0)[0])
            known = choices(labels) if len(labels) <= _SHOWN else f"one of {len(labels)} classes"
            raise InputError(f"{path}, row {row + first}: the class {found[codes[first]]!r} is not {known}")
        columns = [batch.column(str(column)) for column in layout.text]
        texts = columns[0] if len(columns) == 1 else pc.binary_join_element_wise(*columns, " ")
        yield Block(_unescaped(texts) if layout.escaped else texts, targets, done)
        row += len(targets)


def labels_of(path: Path, layout: RowLayout, *, block_bytes: int = BLOCK_BYTES) -> tuple[list[str], NDArray[np.int64]]:
    """Read the different labels of a file, in order of appearance, and the number of each row's label.

    Raises:
        InputError: as :func:`read_rows`.
    """
    known: dict[str, int] = {}
    parts = [np.zeros(0, np.int64)]
    for batch, _ in layout.batches(path, (layout.label,), block_bytes):
        found, codes = _coded(batch.column(str(layout.label)))
        parts.append(np.array([known.setdefault(label, len(known)) for label in found], np.int64)[codes])
    return list(known), np.concatenate(parts)


def _coded(column: pa.StringArray) -> tuple[list[str], NDArray[np.int64]]:
    """Return the different labels, without white space around them, and which one each row has."""
    coded = column.dictionary_encode()
    return [label.strip() for label in coded.dictionary.to_pylist()], coded.indices.to_numpy().astype(np.int64)


def _unescaped(texts: pa.StringArray) -> pa.StringArray:
    import pyarrow.compute as pc

    return pc.replace_substring(texts, "\\n", "\n")


def _batches(
    path: Path, layout: TableLayout, columns: Sequence[int], block_bytes: int
) -> Iterator[tuple[pa.RecordBatch, float]]:
    import pyarrow as pa

    last, done, rows = None, 0.0, 0
    try:
        for batch, now in _parsed(path, layout, columns, block_bytes):
            if last:
                yield last, done
            last, done = _decoded(batch[layout.header :] if rows == 0 else batch), now
            rows += len(batch)
    except pa.ArrowInvalid as error:
        _explain(path, layout, block_bytes)
        raise InputError(f"{path}: {error}") from error
    except DAMAGED as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    if not last or last.column(str(columns[0]))[-1].as_py() != _END:
        way = "a quote is opened and never closed"
        raise InputError(f"{path}, row {rows}: {way}{' (or the last character escapes the end)' * bool(layout.escape)}")
    if rows <= 1 + layout.header:
        raise InputError(f"{path} holds no rows")
    if len(last) > 1:
        yield last[:-1], done


def _decoded(batch: pa.RecordBatch) -> pa.RecordBatch:
    import pyarrow as pa

    return pa.RecordBatch.from_arrays([column.cast(pa.string()) for column in batch.columns], batch.schema.names)


def _parsed(
    path: Path, layout: TableLayout, columns: Sequence[int], block_bytes: int, *, threads: bool = True
) -> Iterator[tuple[pa.RecordBatch, float]]:
    """Yield bytes, with the header and the row that :class:`TableStream` adds, and how much has been read."""
    import pyarrow as pa
    from pyarrow import csv

    names = [str(column) for column in range(layout.columns)]
    size = max(1, path.stat().st_size)
    with opened(path, layout.charset or UTF8) as (file, raw):
        stream = TableStream(file, f"\n{layout.delimiter.join([_END] * layout.columns)}\n".encode())
        batches = csv_batches(
            stream,
            csv.ReadOptions(column_names=names, block_size=block_bytes, use_threads=threads),
            csv.ParseOptions(
                delimiter=layout.delimiter,
                quote_char='"' if layout.quotes else False,
                escape_char=layout.escape or False,
                newlines_in_values=True,
            ),
            csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.binary()),
                include_columns=[str(column) for column in columns],
                strings_can_be_null=False,
            ),
        )
        with closing(batches):
            for batch in batches:
                if len(batch):
                    yield _with_nul(batch) if stream.replaced else batch, raw.tell() / size


def _with_nul(batch: pa.RecordBatch) -> pa.RecordBatch:
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = [pc.replace_substring(column, STAND_IN, b"\0") for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, batch.schema.names)


def _explain(path: Path, layout: TableLayout, block_bytes: int) -> None:
    """Read row by row, in one thread, up to the row at fault, and name it."""
    import pyarrow as pa

    row = 1
    try:
        for batch, _ in _parsed(path, layout, tuple(range(layout.columns)), block_bytes, threads=False):
            for column in batch.columns:
                _check_utf8(path, column, row, hint=layout.charset is not None)
            row += len(batch)
    except pa.ArrowInvalid as error:
        if place := re.search(r"Row #(\d+): Expected (\d+) columns, got (\d+)", str(error)):
            raise InputError(f"{path}, row {place[1]}: {place[3]} columns, there should be {place[2]}") from error
        if "straddl" in str(error):
            limit = f"longer than {_size(block_bytes)}"
            raise InputError(f"{path}, row {row} or soon after: {limit}, or a quote is never closed") from error


def _size(count: int) -> str:
    return f"{count >> 20} MiB" if count >> 20 else f"{count} bytes"


def _check_utf8(path: Path, column: pa.BinaryArray, row: int, *, hint: bool) -> None:
    number = row - 1
    try:
        for value in column.to_pylist():
            number += 1
            value.decode()
    except UnicodeDecodeError as error:
        fault = f"byte {error.object[error.start]:#04x} at position {error.start} of a column is not UTF-8"
        way = f"; {guess(error.object, error)}" if hint else ""
        raise InputError(f"{path}, row {number}: {fault}{way}") from error
