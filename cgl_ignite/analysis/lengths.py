"""Rows that one method has for several lengths of training: ``NAME x1``, ``NAME x2`` and so on."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cgl_ignite.config.presets import REFERENCE

__all__ = ["length_of", "of_length", "reference_among", "without_length"]

_LENGTH = re.compile(r"(.*?)( x\d+)?", re.DOTALL)


def _split(name: str) -> tuple[str, str]:
    found = _LENGTH.fullmatch(name)
    return (found[1], found[2] or "") if found else (name, "")


def length_of(name: str) -> str:
    """Return how a row's name ends if it has a length.

    Example:
        >>> length_of("dml x4"), length_of("dml")
        (' x4', '')
    """
    return _split(name)[1]


def without_length(name: str) -> str:
    """Return the method of a row.

    Example:
        >>> without_length("dml x4"), without_length("dml")
        ('dml', 'dml')
    """
    return _split(name)[0]


def of_length(name: str, other: str) -> str:
    """Return the row of a method that is as long as another row.

    Example:
        >>> of_length("baseline x1", "dml x4"), of_length("baseline", "dml")
        ('baseline x4', 'baseline')
    """
    return without_length(name) + length_of(other)


def reference_among(names: Sequence[str]) -> str:
    """Return the row that the others are measured against: the baseline, in its first length, else the first row.

    Example:
        >>> reference_among(["dml x1", "dml x2", "baseline x1", "baseline x2"]), reference_among(["dml", "one"])
        ('baseline x1', 'dml')
    """
    return next((name for name in names if without_length(name) == REFERENCE), names[0])
