"""Parquet and Arrow files, read in batches of the columns that are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cgl_ignite.errors import InputError, first_line

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["arrow_batches", "arrow_schema", "parquet_batches", "parquet_schema"]

_ROWS = 8192
_FILE_FORMAT = b"ARROW1"


def parquet_schema(path: Path) -> pa.Schema:
    """Tell the columns of a Parquet file.

    Raises:
        InputError: a file that cannot be read.
    """
    with _parquet(path) as file:
        return file.schema_arrow


def parquet_batches(path: Path, names: Sequence[str]) -> Iterator[tuple[pa.RecordBatch, float]]:
    """Read these columns of a Parquet file, and tell after each batch how much has been read, from 0 to 1.

    Raises:
        InputError: a file that cannot be read.
    """
    with _parquet(path) as file:
        rows, total = 0, max(1, file.metadata.num_rows)
        for batch in file.iter_batches(_ROWS, columns=list(names), use_threads=False):
            rows += len(batch)
            yield batch.select(list(names)), rows / total


def arrow_schema(path: Path) -> pa.Schema:
    """Tell the columns of a file in Arrow's stream or file format.

    Raises:
        InputError: a file that cannot be read.
    """
    with _arrow(path) as (batches, _):
        return batches.schema


def arrow_batches(path: Path, names: Sequence[str]) -> Iterator[tuple[pa.RecordBatch, float]]:
    """Read these columns of a file in Arrow's stream or file format, as :func:`parquet_batches` does.

    Raises:
        InputError: a file that cannot be read.
    """
    size = max(1, path.stat().st_size)
    with _arrow(path) as (reader, file):
        if hasattr(reader, "num_record_batches"):
            batches = (reader.get_batch(number) for number in range(reader.num_record_batches))
        else:
            batches = iter(reader)
        for batch in batches:
            done = min(1.0, file.tell() / size)
            for first in range(0, len(batch), _ROWS):
                yield batch.select(list(names)).slice(first, _ROWS), done


@contextmanager
def _parquet(path: Path) -> Iterator[Any]:
    from pyarrow import parquet

    with _faults(path), parquet.ParquetFile(path) as file:
        yield file


@contextmanager
def _arrow(path: Path) -> Iterator[tuple[Any, Any]]:
    import pyarrow as pa

    with _faults(path), pa.OSFile(str(path)) as file:
        is_file = file.read(len(_FILE_FORMAT)) == _FILE_FORMAT
        file.seek(0)
        with pa.ipc.open_file(file) if is_file else pa.ipc.open_stream(file) as reader:
            yield reader, file


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        raise InputError(f"{path} cannot be read: {first_line(error)}") from error
