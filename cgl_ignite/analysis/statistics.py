"""How sure a difference between two methods is: over seeds, and over the samples of the test set."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cgl_ignite.seeding import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Interval", "Spread", "bootstrap_interval", "mean_difference", "paired_interval", "spread", "t_interval"]

LEVEL = 0.95
RESAMPLES = 10_000
ROUNDING = 1e-9
"""Differences that are less apart are equal."""


class Spread(NamedTuple):
    """A mean over seeds and its sample standard deviation; one seed has no deviation (None)."""

    mean: float
    std: float | None


class Interval(NamedTuple):
    """The bounds of a 95 % confidence interval."""

    low: float
    high: float

    @property
    def leaves_out_zero(self) -> bool:
        """Whether there is no doubt about the sign."""
        return not self.low <= 0 <= self.high


def spread(values: Sequence[float]) -> Spread:
    """Return mean and sample standard deviation.

    Example:
        >>> spread([1.0, 2.0, 3.0])
        Spread(mean=2.0, std=1.0)
    """
    return Spread(fmean(values), stdev(values) if len(values) > 1 else None)


def t_interval(values: Sequence[float]) -> Interval | None:
    r"""Bound the mean of values over seeds; None for fewer than two.

    .. math:: \bar x \pm t_{0.975,\, n-1} \, s_x / \sqrt n

    Example:
        >>> low, high = t_interval([1.0, 2.0, 3.0])
        >>> round(low, 3), round(high, 3)
        (-0.484, 4.484)
    """
    from scipy.stats import t

    n = len(values)
    if n < 2:
        return None
    half = float(t.ppf((1 + LEVEL) / 2, n - 1)) * stdev(values) / n**0.5
    return Interval(fmean(values) - half, fmean(values) + half)


def paired_interval(differences: Sequence[float]) -> Interval | None:
    """Bound the mean of differences that are paired by seed, as :func:`t_interval`; None if all are equal.

    Equal differences, as of students that all name one class, would make an interval without width, which claims more
    than a few seeds can tell.
    """
    return None if max(differences) - min(differences) < ROUNDING else t_interval(differences)


def mean_difference(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    """Return for every test sample how much more often ``first`` is right, averaged over seeds, in percent.

    Shape: both bool (seeds, N); result float64 (N,).
    """
    difference: NDArray[Any] = 100 * (first.mean(axis=0) - second.mean(axis=0))
    return difference


def bootstrap_interval(differences: NDArray[Any], resamples: int = RESAMPLES) -> Interval:
    """Bound a mean over test samples by the percentiles of its bootstrap distribution.

    A resample of N samples is a draw of how often each *value* occurs in it (a multinomial draw, made of binomial
    ones), which costs the same for any N, as a difference of hits averaged over a few seeds has few values.

    Args:
        differences: one value per test sample, (N,), as :func:`mean_difference` gives them.
        resamples: how many test sets are drawn.
    """
    import torch

    values, counts = np.unique(differences.round(9), return_counts=True)
    generator = stream(0, "bootstrap", len(differences))
    left = torch.full((resamples,), float(len(differences)), dtype=torch.float64)
    total, others = torch.zeros_like(left), len(differences)
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        drawn = (
            left if count == others else torch.binomial(left, left.new_full((resamples,), count / others), generator)
        )
        total, left, others = total + value * drawn, left - drawn, others - count
    low, high = np.quantile(total.numpy() / len(differences), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))
