"""JSON Lines: one object per line, parsed by arrow in blocks of whole lines; a fault is told with its row."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

from cgl_ignite.data.text.tables.charset import UTF8, charset_of
from cgl_ignite.data.text.tables.stream import DAMAGED, opened
from cgl_ignite.errors import InputError, first_line

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["json_batches", "json_schema"]

BLOCK_BYTES = 2**21
"""How much is parsed at once; a line may be longer."""

_FIRST_BYTES = 1024
_WAYS: tuple[tuple[str, Callable[[Any], bool]], ...] = (
    ("true or false", lambda value: isinstance(value, bool)),
    ("a number", lambda value: isinstance(value, (int, float))),
    ("a text", lambda value: isinstance(value, str)),
    ("a list", lambda value: isinstance(value, list)),
    ("an object", lambda value: isinstance(value, dict)),
)


def json_schema(path: Path) -> pa.Schema:
    """Tell the columns by the first block of lines; what looks like a date is text.

    Raises:
        InputError: a file that cannot be read, or holds no objects, or values of different types in one column.
    """
    import pyarrow as pa

    for block, _ in _blocks(path):
        try:
            schema = _parse(block, None).schema
        except (pa.ArrowInvalid, UnicodeDecodeError) as error:
            _explain(path, block, 1, {}, error)
        fields = [pa.field(one.name, pa.string()) if pa.types.is_temporal(one.type) else one for one in schema]
        return pa.schema(fields)
    raise InputError(f"{path} holds no rows")


def json_batches(path: Path, names: Sequence[str]) -> Iterator[tuple[pa.RecordBatch, float]]:
    """Read these columns, and tell after each batch how much has been read, from 0 to 1; blank lines do not count.

    Raises:
        InputError: a file that cannot be read, or a line that is no object or holds a value of another type than
            those above it, with its row.
    """
    import pyarrow as pa

    known, row = json_schema(path), 1
    schema = pa.schema([known.field(name) for name in names])
    for block, done in _blocks(path):
        try:
            table = _parse(block, schema)
        except (pa.ArrowInvalid, UnicodeDecodeError) as error:
            _explain(path, block, row, _kinds(schema), error)
        for batch in table.select(list(names)).to_batches():
            row += len(batch)
            yield batch, done


def _parse(block: bytes, schema: pa.Schema | None) -> pa.Table:
    import pyarrow as pa
    from pyarrow import json as arrow_json

    options = arrow_json.ParseOptions(
        explicit_schema=schema, unexpected_field_behavior="infer" if schema is None else "ignore"
    )
    reading = arrow_json.ReadOptions(use_threads=False, block_size=len(block) + 1)
    return arrow_json.read_json(pa.BufferReader(block), reading, options)


def _blocks(path: Path) -> Iterator[tuple[bytes, float]]:
    """Yield whole lines, and how much of the file has been read."""
    try:
        with opened(path) as (file, _):
            charset = charset_of(file.read(_FIRST_BYTES))
        size = max(1, path.stat().st_size)
        with opened(path, charset) as (file, raw):
            for block in _lines(file):
                if block.strip():
                    yield block, raw.tell() / size
    except DAMAGED as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    rest = file.read(len(codecs.BOM_UTF8))
    rest = b"" if rest == codecs.BOM_UTF8 else rest
    while chunk := file.read(BLOCK_BYTES):
        whole, end, tail = chunk.rpartition(b"\n")
        if end:
            yield rest + whole + end
            rest = tail
        else:
            rest += chunk
    if rest:
        yield rest


def _explain(path: Path, block: bytes, row: int, kinds: dict[str, str], error: Exception) -> NoReturn:
    """Find the row at fault by reading line by line; ``kinds`` says what the rows above hold, by column.

    Raises:
        InputError: always.
    """
    for line in filter(bytes.strip, block.split(b"\n")):
        try:
            found = json.loads(line.decode(UTF8))
        except ValueError as fault:
            hint = "; write one object per line" if row == 1 and line.lstrip()[:1] == b"[" else ""
            raise InputError(f"{path}, row {row} is not JSON: {first_line(fault)}{hint}") from error
        if not isinstance(found, dict):
            raise InputError(f"{path}, row {row} holds {_kind(found)}, there should be one object per line") from error
        for name, value in found.items():
            kind = _kind(value)
            if value is not None and kinds.setdefault(name, kind) != kind:
                raise InputError(
                    f"{path}, row {row}: {name!r} holds {kind}, the rows above {kinds[name]}; "
                    "a column has values of one type"
                ) from error
        row += 1
    raise InputError(f"{path}, row {row - 1} or before: {first_line(error)}") from error


def _kinds(schema: pa.Schema) -> dict[str, str]:
    from pyarrow import types

    tests: list[Callable[[Any], bool]] = [
        types.is_boolean,
        lambda kind: types.is_integer(kind) or types.is_floating(kind),
        types.is_string,
        types.is_list,
        types.is_struct,
    ]
    names = [name for name, _ in _WAYS]
    found = {
        field.name: [name for name, is_it in zip(names, tests, strict=True) if is_it(field.type)] for field in schema
    }
    return {column: kinds[0] for column, kinds in found.items() if kinds}


def _kind(value: object) -> str:
    return next((name for name, is_it in _WAYS if is_it(value)), "null")
