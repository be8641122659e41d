"""The rows of a journal read by columns: one list of values over the epochs for each key."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cgl_ignite.tracking import MetricsRow

__all__ = ["Series"]


class Series:
    """The values of a run over its epochs; what an epoch lacks is NaN.

    Example:
        >>> from cgl_ignite.tracking import MetricsRow
        >>> series = Series([MetricsRow(1, 0, {"schedule/ramp": 0.5}), MetricsRow(2, 0, {"schedule/ramp": 1.0})])
        >>> series.epochs, series.values("schedule/ramp")
        ([1, 2], [0.5, 1.0])
    """

    def __init__(self, rows: Sequence[MetricsRow]) -> None:
        self.rows = [row for row in rows if not row.final]
        self.epochs = [row.epoch for row in self.rows]

    def has(self, key: str) -> bool:
        """Say whether there is anything to see: a value that is not 0 or NaN."""
        return any(abs(value) > 0 for value in self.values(key))

    def values(self, key: str) -> list[float]:
        """Return the values of a key, epoch by epoch."""
        return [row.values.get(key, math.nan) for row in self.rows]

    def students(self, key: str) -> dict[int, list[float]]:
        """Return the values of ``KEY/student_0``, ``KEY/student_1``, ..."""
        prefix = f"{key}/student_"
        names = {name for row in self.rows for name in row.values if name.startswith(prefix)}
        numbers = sorted(int(name.removeprefix(prefix)) for name in names)
        return {student: self.values(f"{prefix}{student}") for student in numbers}

    def selected(self) -> tuple[int, int]:
        """Return the selected epoch and student, as the last row has them."""
        last = self.rows[-1].values
        return int(last["selected/epoch"]), int(last["selected/student"])
