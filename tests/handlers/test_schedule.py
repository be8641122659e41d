from __future__ import annotations

import pytest
import torch
from ignite.engine import Engine
from torch import nn

from cgl_ignite.handlers.schedule import SCHEDULES, LearningRate, constant, milestones


def factors(schedule, epochs: int) -> list[float]:
    return [schedule(epoch) for epoch in range(1, epochs + 1)]


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


def run(start: int, epochs: int) -> list[tuple[int, float, float]]:
    """Train from an epoch on; for each iteration its epoch and the rates in use."""
    weights = [nn.Parameter(torch.zeros(1)) for _ in range(2)]
    optimizer = torch.optim.SGD([{"params": [weight]} for weight in weights], lr=99.0)
    seen = []

    def step(engine: Engine, _) -> None:
        (rate,) = {group["lr"] for group in optimizer.param_groups}
        seen.append((engine.state.epoch, rate, engine.state.learning_rate))

    engine = Engine(step)
    LearningRate(optimizer, 0.1, lambda epoch: 0.5**epoch).attach(engine)
    if start:
        engine.load_state_dict({"epoch_length": 2, "iteration": start, "max_epochs": epochs})
    engine.run([0, 1], max_epochs=epochs, epoch_length=2)
    return seen


def test_every_parameter_group_gets_the_rate_of_the_epoch() -> None:
    assert run(0, 3) == [(epoch, 0.1 * 0.5**epoch, 0.1 * 0.5**epoch) for epoch in (1, 1, 2, 2, 3, 3)]


@pytest.mark.parametrize("start", [1, 2, 3, 5])
def test_a_resumed_run_has_the_same_rates(start: int) -> None:
    assert run(start, 3) == run(0, 3)[start:]
