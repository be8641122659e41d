"""A column that tells how much each row counts: numbers from 0 on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cgl_ignite.data.text.tables.columns import WEIGHT, weight_columns
from cgl_ignite.data.text.tables.rows import BLOCK_BYTES
from cgl_ignite.data.text.tables.table import TextTable
from cgl_ignite.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["read_weights"]


def read_weights(
    tables: Sequence[TextTable], weight: int | str, training: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.float64], str]:
    """Read the weights of all rows of the training tables.

    Args:
        tables: of the training part.
        weight: the column, by its number from 1 or by its name.
        training: which rows are the training part; those of the other parts have the weight 1, whatever their cells
            hold. By default all are.

    Returns:
        The weights, (N,), and a note about those of the training part.

    Raises:
        InputError: a column that is missing or read for something else, a weight that is missing, no number, infinite
            or below 0, with its row, or weights that are all 0.
    """
    values = np.concatenate([np.ones(0), *(_values(table, weight) for table in tables)])
    counts = np.ones(len(values), bool) if training is None else np.isin(np.arange(len(values)), training)
    faulty = np.flatnonzero(counts & ~(np.isfinite(values) & (values >= 0)))
    if len(faulty):
        _refuse(tables, weight, int(faulty[0]))
    weights, column = values[counts], tables[0].columns.shown(*weight_columns(tables[0].columns, weight))
    if not weights.any():
        raise InputError(f"{tables[0].path}: the weights of all training rows in {column} are 0 ({WEIGHT})")
    note = f"weight = {column}, from {weights.min():g} to {weights.max():g}"
    return np.where(counts, values, 1.0), f"{tables[0].path.name}: {note}"


def _values(table: TextTable, weight: int | str) -> NDArray[np.float64]:
    """Return the number in each row, (N,); NaN where there is none."""
    (place,) = weight_columns(table.columns, weight)
    division = () if table.division is None else (table.division.place,)
    if place in (table.layout.label, *table.layout.text, *division):
        shown = table.columns.shown(place)
        raise InputError(f"{WEIGHT} = {weight!r}: {shown} of {table.path} is read for something else already")
    parts = [np.array([_number(cell) for cell in cells], np.float64) for cells in _cells(table, place)]
    return np.concatenate(parts)


def _cells(table: TextTable, place: int) -> Iterator[list[str]]:
    for batch, _ in table.layout.batches(table.path, (place,), BLOCK_BYTES):
        yield batch.column(str(place)).to_pylist()


def _number(cell: str) -> float:
    try:
        return np.nan if "_" in cell else float(cell)
    except ValueError:
        return np.nan


def _refuse(tables: Sequence[TextTable], weight: int | str, place: int) -> None:
    """Name the row of the joined tables that has no weight.

    Raises:
        InputError: always.
    """
    for table in tables:
        if place < len(table.codes):
            break
        place -= len(table.codes)
    (column,) = weight_columns(table.columns, weight)
    cell = next(cell for row, cell in enumerate(_every_cell(table, column)) if row == place).strip()
    where = f"{table.path}, row {1 + table.layout.header + place}"
    fault = f"the weight {cell!r} is {_fault(_number(cell))}" if cell else "the weight is missing"
    raise InputError(f"{where}: {fault}; {table.columns.shown(column)} ({WEIGHT}) holds numbers from 0 on")


def _every_cell(table: TextTable, place: int) -> Iterator[str]:
    return (cell for cells in _cells(table, place) for cell in cells)


def _fault(value: float) -> str:
    return "no number" if np.isnan(value) else "infinite" if np.isinf(value) and value > 0 else "below 0"
