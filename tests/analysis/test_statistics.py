"""Statistics against values computed by hand, from tables, or by the plain bootstrap."""

from __future__ import annotations

import numpy as np
import pytest

from cgl_ignite.analysis.statistics import (
    Interval,
    Spread,
    bootstrap_interval,
    mean_difference,
    paired_interval,
    spread,
    t_interval,
)


def test_mean_and_sample_deviation():
    assert spread([2.0, 4.0, 4.0, 6.0]) == Spread(4.0, pytest.approx((8 / 3) ** 0.5))


def test_one_seed_has_no_deviation_and_no_interval():
    assert spread([3.0]) == Spread(3.0, None)
    assert t_interval([3.0]) is None


def test_t_interval_with_the_tabulated_quantile():
    """Two degrees of freedom: t = 4.302653; the deviation of 0.2, 0.5, 0.8 is 0.3."""
    half = 4.302653 * 0.3 / 3**0.5
    assert t_interval([0.2, 0.5, 0.8]) == pytest.approx(Interval(0.5 - half, 0.5 + half), abs=1e-6)


def test_equal_differences_of_few_seeds_have_no_interval():
    assert paired_interval([20.6 - 21.0, 19.6 - 20.0, 20.6 - 21.0]) is None
    assert paired_interval([0.0, 0.0]) is None
    assert paired_interval([1.0]) is None
    assert paired_interval([0.2, 0.5, 0.8]) == t_interval([0.2, 0.5, 0.8])


def test_equal_differences_of_all_samples_leave_no_doubt():
    assert bootstrap_interval(np.full(40, 2.5)) == pytest.approx(Interval(2.5, 2.5))


def test_difference_is_paired_by_sample_and_averaged_over_seeds():
    first = np.array([[True, True, False], [True, False, False]])
    second = np.array([[True, False, False], [False, False, True]])
    np.testing.assert_allclose(mean_difference(first, second), [50, 50, -50])


def test_bootstrap_is_the_one_that_draws_indices():
    generator = np.random.default_rng(1)
    first, second = generator.random((3, 400)) < 0.9, generator.random((3, 400)) < 0.8
    differences = mean_difference(first, second)
    drawn = differences[generator.integers(0, 400, (10_000, 400))].mean(axis=1)
    expected = np.quantile(drawn, [0.025, 0.975])
    np.testing.assert_allclose(bootstrap_interval(differences), expected, atol=0.15)


def test_bootstrap_interval_of_a_known_proportion():
    """Of n samples a tenth differs: the deviation of the mean is 100 √(0.1 · 0.9 / n)."""
    differences = np.repeat([100.0, 0.0], [100, 900])
    half = 1.96 * 100 * (0.1 * 0.9 / 1000) ** 0.5
    np.testing.assert_allclose(bootstrap_interval(differences), [10 - half, 10 + half], atol=0.15)


def test_bootstrap_repeats_itself():
    differences = np.repeat([100.0, 0.0, -100.0], [30, 60, 10])
    assert bootstrap_interval(differences) == bootstrap_interval(differences)


def test_bootstrap_does_not_look_at_the_order_of_samples():
    differences = np.repeat([100.0, 0.0, -100.0], [30, 60, 10])
    assert bootstrap_interval(differences) == bootstrap_interval(differences[::-1])
