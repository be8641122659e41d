"""Rank correlations: values known by hand, and intervals against a simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from cgl_ignite.analysis.ranking import Correlation, kendall, ranks, spearman

FIRST = [94.55, 94.50, 94.46, 94.48, 94.45, 94.53, 94.63, 94.40]
SECOND = [77.94, 77.82, 77.93, 77.87, 77.97, 77.81, 77.88, 78.15]


def test_ranks_begin_with_the_highest_value() -> None:
    assert ranks([3.0, 1.0, 2.0]) == [1.0, 3.0, 2.0]
    assert ranks([1.0, 1.0]) == [1.5, 1.5]
    assert ranks([]) == []


def test_three_pairs_by_hand() -> None:
    """Ranks 2, 3, 1 and 3, 2, 1: squared differences sum to 2, and two of three pairs are in the same order."""
    first, second = [94.55, 94.53, 94.63], [77.94, 77.97, 78.15]
    assert spearman(first, second).value == pytest.approx(1 - 6 * 2 / (3 * 8))
    assert kendall(first, second).value == pytest.approx((2 - 1) / 3)
    assert spearman(first, second).interval is kendall(first, second).interval is None


def test_values_and_chance_are_those_of_scipy() -> None:
    for ours, theirs in ((spearman, stats.spearmanr), (kendall, stats.kendalltau)):
        found, wanted = ours(FIRST, SECOND), theirs(FIRST, SECOND)
        assert (found.value, found.chance) == pytest.approx((wanted.statistic, wanted.pvalue))


def test_a_perfect_agreement_has_no_interval() -> None:
    for correlate, sign in ((spearman, 1.0), (kendall, 1.0)):
        assert correlate(FIRST, FIRST).value == pytest.approx(sign)
        assert correlate(FIRST, FIRST).interval is None
        assert correlate(FIRST, [-value for value in FIRST]).interval is None


def test_intervals_hold_the_true_value_as_often_as_they_say() -> None:
    """Of pairs from a normal distribution with correlation 0.6, 95 % of the intervals hold the true coefficients."""
    rho, generator = 0.6, np.random.default_rng(1)
    truth = {spearman: 6 / math.pi * math.asin(rho / 2), kendall: 2 / math.pi * math.asin(rho)}
    hits = dict.fromkeys(truth, 0)
    for _ in range(400):
        first = generator.normal(size=12)
        second = rho * first + math.sqrt(1 - rho**2) * generator.normal(size=12)
        for correlate, true in truth.items():
            found: Correlation = correlate(first.tolist(), second.tolist())
            hits[correlate] += found.interval is None or found.interval.low <= true <= found.interval.high
    assert all(0.92 <= count / 400 <= 0.99 for count in hits.values()), hits
