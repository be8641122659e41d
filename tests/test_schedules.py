"""Schedules are functions of how much of the training is done."""

from __future__ import annotations

import pytest

from cgl_ignite.schedules import SCHEDULES, constant, milestones


def factors(schedule, epochs: int) -> list[float]:
    return [schedule(epoch) for epoch in range(epochs)]


def test_the_papers_milestones() -> None:
    """Halved after 60, 120 and 160 of 200 epochs."""
    assert factors(milestones(200), 200) == [1.0] * 60 + [0.5] * 60 + [0.25] * 40 + [0.125] * 40


@pytest.mark.parametrize(
    ("epochs", "at", "factor", "expected"),
    [
        (10, [0.3, 0.6, 0.8], 0.2, [1] * 3 + [0.2] * 3 + [0.04] * 2 + [0.008] * 2),
        (4, [0.75, 0.25], 0.5, [1, 0.5, 0.5, 0.25]),
        (4, [0.5, 0.5], 0.1, [1, 1, 0.01, 0.01]),
        (1, [0.3, 0.4], 0.5, [0.25]),
        (3, [], 0.5, [1, 1, 1]),
    ],
)
def test_milestones(epochs: int, at: list[float], factor: float, expected: list[float]) -> None:
    assert factors(milestones(epochs, at=at, factor=factor), epochs) == pytest.approx(expected)


def test_constant() -> None:
    assert factors(constant(5), 5) == [1.0] * 5


def test_registered_kinds() -> None:
    assert {"constant", "milestones"} <= set(SCHEDULES.kinds())


def test_a_milestone_within_an_epoch_is_not_reached_before_its_end() -> None:
    assert [milestones(4, at=[0.25])(done) for done in (0.999, 1.0, 1.001)] == [1.0, 0.5, 0.5]
