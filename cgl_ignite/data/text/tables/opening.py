"""All tables of a data set opened: those of each part, the names of their classes, and the rows of each part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cgl_ignite.data.balance import classes_without_rows
from cgl_ignite.data.part_names import Part
from cgl_ignite.data.text.corpus import Block
from cgl_ignite.data.text.tables.classes import Naming, check_known, check_missing, name_classes
from cgl_ignite.data.text.tables.division import PARTS
from cgl_ignite.data.text.tables.files import TableFiles
from cgl_ignite.data.text.tables.label_sets import name_label_sets
from cgl_ignite.data.text.tables.rows import read_rows
from cgl_ignite.data.text.tables.table import Request, TextTable, open_like, open_table
from cgl_ignite.data.text.tables.typed import is_typed
from cgl_ignite.data.text.tables.typed_table import open_typed
from cgl_ignite.data.text.tables.weights import read_weights
from cgl_ignite.errors import InputError

__all__ = ["OpenTables", "open_tables", "read_tables", "targets_of"]


@dataclass(frozen=True)
class OpenTables:
    """The tables of each part, and what is known of all.

    Attributes:
        parts: by the files they lie in; ``train`` is always there.
        naming: the names of the classes.
        rows: the rows of each part among those of ``parts["train"]``, sorted, if a column tells the parts.
        notes: what was found out, for the user.
        weights: of all rows of ``parts["train"]``, float64 (N,), if a column tells them.
    """

    parts: Mapping[Part, tuple[TextTable, ...]]
    naming: Naming
    rows: Mapping[Part, Tensor]
    notes: tuple[str, ...]
    weights: Tensor | None = None

    def counts(self) -> dict[Part, int]:
        """Count the rows of each part."""
        if self.rows:
            return {part: len(rows) for part, rows in self.rows.items()}
        return {part: sum(len(table.codes) for table in tables) for part, tables in self.parts.items()}


def open_tables(found: TableFiles, request: Request) -> OpenTables:
    """Open the tables of each part, first those of the training part, whose first tells the columns of all.

    Raises:
        InputError: a table that cannot be read, or one that does not fit the first one.
    """
    first = _open(found.parts["train"][0], request, None)
    parts = {
        part: tuple(first if path == first.path else _open(path, request, first) for path in paths)
        for part, paths in found.parts.items()
    }
    tables = [table for part in parts.values() for table in part]
    train, given = _joined(parts["train"]), request.classes or first.classes
    missing: list[str] = []
    if request.label_separator is None:
        missing = [note for table in tables for note in check_missing(table, request.classes)]
        naming = name_classes(train, tables, given)
    else:
        naming = name_label_sets(train, tables, given, request.label_separator)
    rows = _divided(parts, naming, request)
    notes = [*found.notes, *(note for table in tables for note in table.notes), *naming.notes, *missing]
    weights = None
    if request.weight is not None and request.weighs:
        training = rows["train"].numpy() if rows else None
        values, note = read_weights(parts["train"], request.weight, training)
        weights, notes = torch.from_numpy(values), [*notes, note]
    return OpenTables(parts, naming, rows, tuple(notes), weights)


def read_tables(tables: Sequence[TextTable], labels: Mapping[str, int]) -> Iterator[Block]:
    """Read the rows of tables one after the other.

    Raises:
        InputError: as :func:`~cgl_ignite.data.text.tables.rows.read_rows`.
    """
    for number, table in enumerate(tables):
        for block in read_rows(table.path, table.layout, labels):
            yield replace(block, done=(number + block.done) / len(tables))


def targets_of(tables: Sequence[TextTable], naming: Naming) -> Tensor:
    """Return the classes of all rows, (N,).

    Raises:
        InputError: a label that is empty or no class.
    """
    for table in tables:
        check_known(table, naming)
    return torch.cat(
        [
            torch.tensor([naming.numbers[label] for label in table.found])[torch.from_numpy(table.codes)]
            for table in tables
        ]
    )


def _open(path: Path, request: Request, train: TextTable | None) -> TextTable:
    if is_typed(path):
        return open_typed(path, request, train)
    return open_table(path, request) if train is None else open_like(path, request, train)


def _joined(tables: Sequence[TextTable]) -> TextTable:
    """Make one table of several, for what depends on their labels only."""
    known: dict[str, int] = {}
    codes = [
        np.array([known.setdefault(label, len(known)) for label in table.found], np.int64)[table.codes]
        for table in tables
    ]
    return replace(tables[0], found=list(known), codes=np.concatenate(codes))


def _divided(parts: Mapping[Part, Sequence[TextTable]], naming: Naming, request: Request) -> dict[Part, Tensor]:
    """Find the rows of each part if a column tells them.

    Raises:
        InputError: files for the parts as well, a table without the column, or no row for training.
    """
    tables = parts["train"]
    if len(parts) > 1:
        if request.split not in (None, False):
            others = [table.path.name for part in parts.values() for table in part if table not in tables]
            raise InputError(f"data.split = {request.split!r} divides one table, but {others[0]} is a part of its own")
        return {}
    divisions = [table.division for table in tables]
    if not any(divisions):
        return {}
    numbers = []
    for table, division in zip(tables, divisions, strict=True):
        if division is None:
            raise InputError(f"{table.path} has no column that tells the part of each row, others have")
        numbers.append(division.numbers)
    held = torch.from_numpy(np.concatenate(numbers))
    rows = {part: (held == number).nonzero().squeeze(1) for number, part in enumerate(PARTS)}
    if not len(rows["train"]):
        raise InputError(f"{tables[0].path}: no row is of the part 'train' (data.split)")
    _check_taught(tables, naming, rows["train"])
    return {part: chosen for part, chosen in rows.items() if len(chosen) or part == "train"}


def _check_taught(tables: Sequence[TextTable], naming: Naming, training: Tensor) -> None:
    if missing := classes_without_rows(targets_of(tables, naming)[training], naming.classes, naming.members):
        raise InputError(f"{tables[0].path}: no row of class {missing[0]!r} is of the part 'train' (data.split)")
