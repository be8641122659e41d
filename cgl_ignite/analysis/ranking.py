"""Ranks, and how far two rankings agree, with an interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from cgl_ignite.analysis.statistics import LEVEL, Interval

__all__ = ["Correlation", "kendall", "ranks", "spearman"]


class Correlation(NamedTuple):
    """A rank correlation, its 95 % interval, and the probability of one as far from 0 by chance (two-sided).

    The interval is None for fewer than five pairs and for a correlation of 1 or -1, where its formula says nothing.
    """

    value: float
    interval: Interval | None
    chance: float


def ranks(values: Sequence[float]) -> list[float]:
    """Rank values, 1 for the highest; equal ones share the mean of their ranks.

    Example:
        >>> ranks([70.0, 90.0, 80.0, 70.0])
        [3.5, 1.0, 2.0, 3.5]
    """
    from scipy.stats import rankdata

    return [float(rank) for rank in rankdata([-value for value in values])]


def spearman(first: Sequence[float], second: Sequence[float]) -> Correlation:
    """Correlate the ranks of paired values by Spearman's coefficient.

    The interval is that of Bonett and Wright (2000), by Fisher's transformation with the variance
    (1 + r² / 2) / (n - 3).
    """
    from scipy.stats import spearmanr

    found = spearmanr(first, second)
    value = float(found.statistic)
    return Correlation(value, _interval(value, len(first), (1 + value**2 / 2) / max(1, len(first) - 3)), found.pvalue)


def kendall(first: Sequence[float], second: Sequence[float]) -> Correlation:
    """Correlate the ranks of paired values by Kendall's tau-b.

    The interval is that of Fieller, Hartley and Pearson (1957), by Fisher's transformation with the variance
    0.437 / (n - 4).
    """
    from scipy.stats import kendalltau

    found = kendalltau(first, second)
    value = float(found.statistic)
    return Correlation(value, _interval(value, len(first), 0.437 / max(1, len(first) - 4)), found.pvalue)


def _interval(value: float, pairs: int, variance: float) -> Interval | None:
    from scipy.stats import norm

    if pairs < 5 or not abs(value) < 1 - 1e-12:
        return None
    half = float(norm.ppf((1 + LEVEL) / 2)) * math.sqrt(variance)
    return Interval(math.tanh(math.atanh(value) - half), math.tanh(math.atanh(value) + half))
