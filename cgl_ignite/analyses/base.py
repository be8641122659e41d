"""What an analysis of finished runs is, and the registry of all of them. PyTorch is imported when one is made."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from cgl_ignite.analysis.statistics import spread
from cgl_ignite.errors import InputError
from cgl_ignite.registry import Registry

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cgl_ignite.analyses.subjects import Subject

__all__ = ["ANALYSES", "Analysis", "Finding", "Inapplicable", "at_least", "mean_and_deviation", "numbered"]


@dataclass(frozen=True)
class Finding:
    """What an analysis has found.

    Attributes:
        title: what the table shows.
        columns: heads of the table; the first one names a method or a run.
        rows: the cells of the table.
        notes: what the table does not say itself.
        values: everything, as plain values.
        figures: draws the pictures, by name without suffix.
        files: makes other files, by name.
    """

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    notes: tuple[str, ...]
    values: Mapping[str, Any]
    figures: Callable[[], Mapping[str, Figure]]
    files: Mapping[str, Callable[[], bytes]] = field(default_factory=dict)


class Inapplicable(InputError):
    """None of the runs has what an analysis is about, such as the students of a group."""


class Analysis(Protocol):
    """Examines all runs together; its keyword-only parameters are its options."""

    def __call__(self, subjects: Sequence[Subject], **options: Any) -> Finding: ...


ANALYSES: Registry[Analysis] = Registry("analysis")
"""Analyses by name.

Facts of each: ``help``, what it tells in a few words; ``options``, the names of its keyword-only parameters.
"""


def numbered(value: float | None) -> float | None:
    """Return a number that JSON can hold; NaN is None."""
    return None if value is None or value != value else float(value)


def mean_and_deviation(values: Sequence[float], form: str) -> str:
    """Write the mean of some runs and, of more than one, the sample standard deviation.

    Example:
        >>> mean_and_deviation([1.0, 2.0, 3.0], "{:+.1f}"), mean_and_deviation([2.0], "{:.1f}")
        ('+2.0 ± 1.0', '2.0')
    """
    mean, std = spread(values)
    return form.format(mean) + ("" if std is None else f" ± {form.format(std).lstrip('+')}")


def at_least(name: str, value: float, least: int) -> None:
    """Make sure that an option is not below a number.

    Raises:
        InputError: it is, or it is no finite number.
    """
    if not math.isfinite(value) or value < least:
        raise InputError(f"{name} must be a number of at least {least}, not {value}")
