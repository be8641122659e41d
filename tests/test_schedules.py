"""Schedules are functions of how much of the training is done."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import CosineAnnealingLR

from cgl_ignite.schedules import SCHEDULES, constant, cosine, linear, milestones, one_cycle


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


@pytest.mark.parametrize(("warmup", "final"), [(0.0, 0.0), (0.1, 0.0), (0.25, 0.2)])
def test_cosine_is_that_of_pytorch(warmup: float, final: float) -> None:
    """After the warm-up: ``CosineAnnealingLR`` over the iterations that are left."""
    epochs, length = 4, 10
    total, rise = epochs * length, round(warmup * epochs * length)
    optimizer = SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    reference = CosineAnnealingLR(optimizer, T_max=total - rise, eta_min=final)
    schedule = cosine(epochs, warmup=warmup, final=final)
    assert [schedule(step / length) for step in range(rise)] == pytest.approx([step / rise for step in range(rise)])
    for step in range(rise, total):
        assert schedule(step / length) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-9)
        optimizer.step()
        reference.step()


def test_linear_values() -> None:
    """Twenty iterations, four of them to rise: quarters up, then sixteenths of the way down to a fifth."""
    schedule = linear(2, warmup=0.2, final=0.2)
    expected = [0, 0.25, 0.5, 0.75, *(1 - 0.8 * step / 16 for step in range(16))]
    assert [schedule(step / 10) for step in range(20)] == pytest.approx(expected)


def test_one_cycle_values() -> None:
    """It rises from a quarter along half a cosine in half of the time, and falls to a tenth along another."""
    schedule = one_cycle(4, warmup=0.5, start=0.25, final=0.1)
    assert [schedule(done) for done in (0, 1, 2, 3, 4)] == pytest.approx([0.25, 0.625, 1.0, 0.55, 0.1])


@pytest.mark.parametrize("builder", [cosine, linear, one_cycle])
def test_the_rate_stays_at_its_end(builder) -> None:
    assert builder(3, final=0.1)(3.5) == pytest.approx(0.1)


def test_registered_kinds() -> None:
    assert {"constant", "cosine", "linear", "milestones", "one_cycle"} == set(SCHEDULES.kinds())


def test_a_milestone_within_an_epoch_is_not_reached_before_its_end() -> None:
    assert [milestones(4, at=[0.25])(done) for done in (0.999, 1.0, 1.001)] == [1.0, 0.5, 0.5]
