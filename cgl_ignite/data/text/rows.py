"""Rows of CSV and TSV files, plain or compressed, read in blocks by arrow; faults are told with their row."""

from __future__ import annotations

import gzip
import lzma
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import numpy as np

from cgl_ignite.data.corpus import Block
from cgl_ignite.errors import InputError, choices

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["Layout", "first_row", "labels_of", "opened", "read_rows"]

_BLOCK_BYTES = 2**21
_SHOWN = 12
_END = "\N{END OF TRANSMISSION}"
_UNPACKED: Mapping[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}
_DAMAGED = (OSError, EOFError, lzma.LZMAError, zlib.error)


@dataclass(frozen=True)
class Layout:
    """Where in a row what stands; columns count from 0.

    Args:
        columns: how many a row has.
        label: the column of the class.
        text: the columns of the text, joined with a space.
        delimiter: what separates columns.
        header: the first row holds names.
        escaped: a new line inside a text is written as a backslash and an n.
        quotes: quotes enclose a column, with those inside doubled.
    """

    columns: int
    label: int
    text: tuple[int, ...]
    delimiter: str = ","
    header: bool = False
    escaped: bool = False
    quotes: bool = True


class _Ended:
    """A file with one row more, full of :data:`_END`: if it is not the last one, a quote was never closed.

    A block does not end with a carriage return, as arrow would take a new line off the next one, even in quotes.
    """

    closed = False

    def __init__(self, file: IO[bytes], layout: Layout) -> None:
        self._file = file
        self._returns = b""
        self._row = f"\n{layout.delimiter.join([_END] * layout.columns)}\n".encode()

    def read(self, size: int) -> bytes:
        new = self._file.read(size - len(self._returns))
        block, self._returns = self._returns + new, b""
        end = len(block.rstrip(b"\r"))
        if new and end:
            block, self._returns = block[:end], block[end:]
        if not block:
            block, self._row = self._row, b""
        return block

    def close(self) -> None:
        """Leave the file to whoever opened it."""


@contextmanager
def opened(path: Path) -> Iterator[tuple[Any, IO[bytes]]]:
    """Open a file, unpacked if its name ends with ``.gz`` or ``.xz``, and the same as it lies on the disk."""
    with path.open("rb") as raw, _UNPACKED.get(path.suffix, nullcontext)(raw) as file:
        yield file, raw


def read_rows(path: Path, layout: Layout, labels: Mapping[str, int]) -> Iterator[Block]:
    """Read all rows in order.

    Args:
        path: a CSV or TSV file.
        layout: its columns.
        labels: the number of each class by what stands in the label's column.

    Raises:
        InputError: a file that cannot be read, or a damaged row, with its number from 1.
    """
    import pyarrow.compute as pc

    row = 1 + layout.header
    for batch, done in _batches(path, layout):
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


def labels_of(path: Path, layout: Layout) -> tuple[list[str], NDArray[np.int64]]:
    """Read the different labels of a file, in order of appearance, and the number of each row's label.

    Raises:
        InputError: as :func:`read_rows`.
    """
    known: dict[str, int] = {}
    parts = [np.zeros(0, np.int64)]
    for batch, _ in _batches(path, layout, only_label=True):
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


def _batches(path: Path, layout: Layout, *, only_label: bool = False) -> Iterator[tuple[pa.RecordBatch, float]]:
    """Parse block by block; any fault is explained in a second, slower reading."""
    import pyarrow as pa

    columns = (layout.label,) if only_label else (layout.label, *layout.text)
    last, done, rows = None, 0.0, 0
    try:
        for batch, now in _parsed(path, layout, pa.string(), columns):
            if last:
                yield last, done
            last, done = batch, now
            rows += len(batch)
    except pa.ArrowInvalid as error:
        _explain(path, layout)
        raise InputError(f"{path}: {error}") from error
    except _DAMAGED as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    if last and last.column(str(layout.label))[-1].as_py() != _END:
        raise InputError(f"{path}, row {rows + layout.header}: a quote is opened and never closed")
    if rows <= 1:
        raise InputError(f"{path} holds no rows")
    if last and len(last) > 1:
        yield last[:-1], done


def _parsed(
    path: Path, layout: Layout, kind: pa.DataType, columns: tuple[int, ...], *, threads: bool = True
) -> Iterator[tuple[pa.RecordBatch, float]]:
    from pyarrow import csv

    names = [str(column) for column in range(layout.columns)]
    size = max(1, path.stat().st_size)
    with opened(path) as (file, raw):
        reader = csv.open_csv(
            _Ended(file, layout),
            csv.ReadOptions(
                column_names=names,
                skip_rows_after_names=int(layout.header),
                block_size=_BLOCK_BYTES,
                use_threads=threads,
            ),
            csv.ParseOptions(
                delimiter=layout.delimiter, quote_char='"' if layout.quotes else False, newlines_in_values=True
            ),
            csv.ConvertOptions(
                column_types=dict.fromkeys(names, kind),
                include_columns=[str(column) for column in columns],
                strings_can_be_null=False,
            ),
        )
        with reader:
            for batch in reader:
                if len(batch):
                    yield batch, raw.tell() / size


def _explain(path: Path, layout: Layout) -> None:
    """Read row by row, in one thread and as bytes, up to the row at fault, and name it."""
    import pyarrow as pa

    row = 1 + layout.header
    try:
        for batch, _ in _parsed(path, layout, pa.binary(), tuple(range(layout.columns)), threads=False):
            for column in batch.columns:
                _check_utf8(path, column, row)
            row += len(batch)
    except pa.ArrowInvalid as error:
        if place := re.search(r"Row #(\d+): Expected (\d+) columns, got (\d+)", str(error)):
            raise InputError(f"{path}, row {place[1]}: {place[3]} columns, there should be {place[2]}") from error
        if "straddl" in str(error):
            limit = f"longer than {_BLOCK_BYTES >> 20} MiB"
            raise InputError(f"{path}, row {row} or soon after: {limit}, or a quote is never closed") from error
        if "Empty CSV" in str(error):
            raise InputError(f"{path} holds no rows") from error


def _check_utf8(path: Path, column: pa.BinaryArray, row: int) -> None:
    number = row - 1
    try:
        for value in column.to_pylist():
            number += 1
            value.decode()
    except UnicodeDecodeError as error:
        fault = f"byte {error.object[error.start]:#04x} at position {error.start} of a column is not UTF-8"
        raise InputError(f"{path}, row {number}: {fault}") from error


def first_row(path: Path, delimiter: str, quotes: bool) -> list[str]:
    """Read the first row alone.

    Raises:
        InputError: a file that is empty, unreadable or not UTF-8, or a first row without an end.
    """
    import csv
    import io

    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
    usual = csv.field_size_limit(_BLOCK_BYTES)
    try:
        with opened(path) as (file, _):
            lines = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
            row: list[str] = next(csv.reader(lines, delimiter=delimiter, quoting=quoting), [])
            lines.detach()
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text: {error.reason} near byte {error.start}") from error
    except _DAMAGED as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    except csv.Error as error:
        raise InputError(f"{path}, row 1 cannot be read, or a quote is never closed: {error}") from error
    finally:
        csv.field_size_limit(usual)
    if not row:
        raise InputError(f"{path} is empty, or its first line is")
    return row
