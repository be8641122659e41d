from __future__ import annotations

import pytest
import torch
from ignite.engine import Engine
from torch import nn

from cgl_ignite.handlers.schedule import LearningRate


def run(start: int, epochs: int) -> list[tuple[int, float, float]]:
    """Train from an epoch on; for each iteration its epoch and the rates in use."""
    weights = [nn.Parameter(torch.zeros(1)) for _ in range(2)]
    optimizer = torch.optim.SGD([{"params": [weight]} for weight in weights], lr=99.0)
    seen = []

    def step(engine: Engine, _) -> None:
        (rate,) = {group["lr"] for group in optimizer.param_groups}
        seen.append((engine.state.epoch, rate, engine.state.learning_rate))

    engine = Engine(step)
    LearningRate(optimizer, 0.1, lambda done: 0.5**done).attach(engine)
    if start:
        engine.load_state_dict({"epoch_length": 2, "iteration": start, "max_epochs": epochs})
    engine.run([0, 1], max_epochs=epochs, epoch_length=2)
    return seen


RATES = [0.1 * 0.5**done for done in (0, 0.5, 1, 1.5, 2, 2.5)]


def test_every_parameter_group_gets_the_rate_of_the_iteration() -> None:
    assert run(0, 3) == [(epoch, rate, rate) for epoch, rate in zip((1, 1, 2, 2, 3, 3), RATES, strict=True)]


def test_a_rate_on_the_device_may_be_beyond_its_precision() -> None:
    weight = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=torch.tensor(1.0))
    engine = Engine(lambda engine, batch: None)
    LearningRate(optimizer, 1e300, lambda done: 1.0).attach(engine)
    engine.run([0])
    assert optimizer.param_groups[0]["lr"] == torch.inf


@pytest.mark.parametrize("start", [1, 2, 3, 5])
def test_a_resumed_run_has_the_same_rates(start: int) -> None:
    assert run(start, 3) == run(0, 3)[start:]
