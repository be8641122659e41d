"""A column that tells the part of each row: training, holdout or test."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from cgl_ignite.data.part_names import PART_NAMES, Part
from cgl_ignite.data.text.tables.columns import Columns, find_column
from cgl_ignite.errors import InputError, nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    _Cells: TypeAlias = tuple[list[str], NDArray[np.int64]]

__all__ = ["PARTS", "Division", "find_division"]

PARTS: tuple[Part, ...] = ("train", "holdout", "test")
_USUAL = "split"


@dataclass(frozen=True)
class Division:
    """Which column tells the parts, from 0, and which of :data:`PARTS` each row belongs to, (N,)."""

    place: int
    numbers: NDArray[np.int64]


def find_division(
    columns: Columns,
    split: int | str | Literal[False] | None,
    used: Collection[int],
    text: Sequence[int | str] | None,
    read: Callable[[int], _Cells],
) -> Division | None:
    """Find the column that tells the parts: the one given, or one named ``split`` that holds the name of a part.

    Args:
        columns: of the table.
        split: the column, by its number from 1 or by its name; False if there is none.
        used: columns that are read for something else.
        text: the columns of the text that the user named, which are never taken without being asked for.
        read: reads the different cells of a column, and which of them each row has.

    Raises:
        InputError: a column that is missing, or read for something else, or a row that is of no part.
    """
    if split is False:
        return None
    place = _usual(columns, used, text) if split is None else find_column(columns, "data.split", split)
    if place is None:
        return None
    if place in used:
        raise InputError(f"data.split = {split!r}: {columns.path} has {columns.shown(place)} as the label already")
    found, codes = read(place)
    parts = [PART_NAMES.get(cell.lower()) for cell in found]
    if split is None and not any(parts):
        return None
    for code, (cell, part) in enumerate(zip(found, parts, strict=True)):
        if part is None:
            row = 1 + columns.header + int((codes == code).argmax())
            fault = f"{columns.shown(place)} holds {cell!r}, which is not 'train', 'val' or 'test'"
            hint = nearest(cell.lower(), PART_NAMES) or "; data.split = false if the column does not divide the rows"
            raise InputError(f"{columns.path}, row {row}: {fault}{hint}")
    numbers = np.array([PARTS.index(part) for part in parts if part], np.int64)
    return Division(place, numbers[codes])


def _usual(columns: Columns, used: Collection[int], text: Sequence[int | str] | None) -> int | None:
    named = {find_column(columns, "data.text", one) for one in text or ()}
    names = columns.names or []
    places = [place for place, name in enumerate(names) if name.lower() == _USUAL and place not in {*used, *named}]
    return places[0] if len(places) == 1 else None
