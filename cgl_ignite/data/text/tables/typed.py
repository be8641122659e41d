"""Tables whose columns have names and types of their own: Parquet, Arrow and JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cgl_ignite.data.text.tables.columnar import arrow_batches, arrow_schema, parquet_batches, parquet_schema
from cgl_ignite.data.text.tables.json_lines import json_batches, json_schema
from cgl_ignite.errors import InputError, first_line

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["LISTED", "ONE_LABEL", "TYPED_ENDINGS", "TypedLayout", "class_names", "is_typed", "schema_of"]


class _Reader(NamedTuple):
    schema: Callable[[Path], pa.Schema]
    batches: Callable[[Path, Sequence[str]], Iterator[tuple[pa.RecordBatch, float]]]


_PARQUET, _ARROW = _Reader(parquet_schema, parquet_batches), _Reader(arrow_schema, arrow_batches)
_JSON = _Reader(json_schema, json_batches)
_READERS: Mapping[str, _Reader] = {
    ".parquet": _PARQUET,
    ".arrow": _ARROW,
    ".feather": _ARROW,
    ".jsonl": _JSON,
    ".ndjson": _JSON,
    ".jsonl.gz": _JSON,
    ".jsonl.xz": _JSON,
}
TYPED_ENDINGS = tuple(_READERS)
"""Endings of files whose columns have names and types."""

_FEATURES = b"huggingface"

LISTED = "\N{START OF TEXT}"
"""What stands before each label of a list where it is read as text."""
ONE_LABEL = "one {} per row is expected (data.task = 'multi_label' reads several labels)"
"""What is said of several labels where one is expected."""


@dataclass(frozen=True)
class TypedLayout:
    """Which columns of a typed table are read; they count from 0.

    Args:
        names: of all columns.
        label: the column of the class.
        text: the columns of the text, joined with a space.
        classes: the names that the numbers in the label's column stand for, if the file says so.
        header: False, as no row holds names.
        escaped: a new line inside a text is written as a backslash and an n.
        lists: whether the label may be a list.
    """

    names: tuple[str, ...]
    label: int
    text: tuple[int, ...]
    classes: tuple[str, ...] | None = None
    header: bool = False
    escaped: bool = False
    lists: bool = False

    def batches(self, path: Path, columns: Sequence[int], block_bytes: int) -> Iterator[tuple[pa.RecordBatch, float]]:
        """Read these columns as text, named by their numbers, and tell how much has been read; no value is no text.

        Raises:
            InputError: a file that cannot be read, a column of lists or objects, or a file without rows.
        """
        import pyarrow as pa

        read, places = 0, list(dict.fromkeys(columns))
        for batch, done in _reader(path).batches(path, [self.names[place] for place in places]):
            if not len(batch):
                continue
            texts = [
                self._label(path, column) if place == self.label else _as_text(path, self.names[place], column)
                for place, column in zip(places, batch.columns, strict=True)
            ]
            read += len(batch)
            yield pa.RecordBatch.from_arrays(texts, [str(place) for place in places]), done
        if not read:
            raise InputError(f"{path} holds no rows")

    def _label(self, path: Path, column: pa.Array) -> pa.StringArray:
        from pyarrow import types

        name, is_list = self.names[self.label], types.is_list(column.type) or types.is_large_list(column.type)
        if not is_list:
            return _as_text(path, name, column, self.classes)
        if not self.lists:
            raise InputError(f"{path}: column {name!r} holds lists; {ONE_LABEL.format('value')}")
        return _joined(path, name, column, self.classes)


def is_typed(path: Path) -> bool:
    """Whether the name of a file says that it is Parquet, Arrow or JSON Lines."""
    return path.name.lower().endswith(TYPED_ENDINGS)


def schema_of(path: Path) -> pa.Schema:
    """Tell the columns of a typed table.

    Raises:
        InputError: a file that cannot be read.
    """
    schema = _reader(path).schema(path)
    try:
        names = schema.names
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: the name of a column is not UTF-8") from error
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"{path} has two columns {twice!r}")
    return schema


def class_names(schema: pa.Schema, name: str) -> tuple[str, ...] | None:
    """Return the names that Hugging Face ``datasets`` stores for the numbers in a column; None if there are none."""
    try:
        features: Any = json.loads((schema.metadata or {})[_FEATURES])["info"]["features"]
        names = features[name].get("names") or features[name]["feature"]["names"]
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    return tuple(map(str, names)) if isinstance(names, list) else None


def _reader(path: Path) -> _Reader:
    name = path.name.lower()
    return next(reader for ending, reader in _READERS.items() if name.endswith(ending))


def _joined(path: Path, name: str, column: pa.Array, classes: tuple[str, ...] | None) -> pa.StringArray:
    """Write the labels of each list one behind the other, each after :data:`LISTED`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = column.flatten()
    labels = _as_text(path, name, values, classes)
    if pc.any(pc.equal(pc.utf8_trim_whitespace(labels), "")).as_py():
        raise InputError(f"{path}: column {name!r} holds lists with a missing or unknown label")
    counts = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    marked = pc.binary_join_element_wise(pa.scalar(""), labels, LISTED)
    offsets = pa.array([0, *counts.cumsum()], pa.int32())
    return pc.binary_join(pa.ListArray.from_arrays(offsets, marked), "")


def _as_text(path: Path, name: str, column: pa.Array, classes: tuple[str, ...] | None = None) -> pa.StringArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        column.validate(full=True)
    except pa.ArrowInvalid as error:
        raise InputError(f"{path}: column {name!r} cannot be read: {first_line(error)}") from error
    if pa.types.is_nested(column.type):
        way = "lists" if pa.types.is_list(column.type) or pa.types.is_large_list(column.type) else "objects"
        raise InputError(f"{path}: column {name!r} holds {way}; one value per row is expected")
    if classes is not None and pa.types.is_integer(column.type):
        known = pc.and_(pc.greater_equal(column, 0), pc.less(column, len(classes)))
        column = pc.take(pa.array(classes, pa.string()), pc.if_else(known, column, None))
    try:
        return pc.fill_null(column.cast(pa.string()), "")
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(f"{path}: column {name!r} of type {column.type} cannot be read as text") from error
