from __future__ import annotations

import pytest
import torch

from cgl_ignite.analysis.chance import certainty, chance_accuracy, is_at_chance, standard_error

UNEVEN = torch.tensor([0] * 64 + [1] * 36)
"""The most frequent class has 64 %, with a standard error of 4.8 %."""


@pytest.mark.parametrize(
    ("accuracy", "rows", "error"), [(50, 1, 50), (50, 100, 5), (64, 100, 4.8), (0, 9, 0), (100, 9, 0)]
)
def test_the_standard_error(accuracy: float, rows: int, error: float) -> None:
    assert standard_error(accuracy, rows) == pytest.approx(error)


def test_the_standard_error_is_the_deviation_of_drawn_holdouts() -> None:
    drawn = torch.rand(20_000, 237, generator=torch.Generator().manual_seed(0)) < 0.9
    assert standard_error(90, 237) == pytest.approx(100 * float(drawn.double().mean(dim=1).std()), rel=0.02)


def test_the_accuracy_of_the_most_frequent_class() -> None:
    assert chance_accuracy(UNEVEN) == 64
    assert chance_accuracy(torch.tensor([7], dtype=torch.int16)) == 100


@pytest.mark.parametrize(("accuracy", "expected"), [(0.0, True), (64.0, True), (68.0, True), (69.0, False)])
def test_no_better_than_the_most_frequent_class(accuracy: float, expected: bool) -> None:
    assert is_at_chance(accuracy, UNEVEN) is expected


@pytest.mark.parametrize(("holdout", "test", "at_chance"), [(90, 90, False), (64, 90, True), (90, 64, True)])
def test_what_a_result_says(holdout: float, test: float, at_chance: bool) -> None:
    """A student selected among many may be better than chance on the holdout by luck, and not on the test part."""
    found = certainty((holdout, UNEVEN), (test, UNEVEN))
    error = standard_error(holdout, 100)
    assert found == {"holdout_standard_error": error, "chance_accuracy": 64, "at_chance": at_chance}
