"""How much the students of a pool share (the paper's Fig. 5)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from statistics import fmean

__all__ = ["sharing_ratio"]


def sharing_ratio(paths: Sequence[Sequence[int]]) -> float | None:
    """Return the share of layers in which two students run the same module, averaged over all pairs.

    Args:
        paths: (K, L), the module that each student runs in every layer; None comes back for a single student.

    Example:
        >>> sharing_ratio([[0, 0], [0, 1], [0, 1]])
        0.6666666666666666
    """
    pairs = [fmean(map(float, map(int.__eq__, one, other))) for one, other in combinations(paths, 2)]
    return fmean(pairs) if pairs else None
