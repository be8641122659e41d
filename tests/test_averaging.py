"""Rules of averaging, and what they make of five steps."""

from __future__ import annotations

import pytest
import torch
from ignite.engine import Engine, Events
from torch import nn

from cgl_ignite.averaging import WEIGHT_AVERAGES, ema, none
from cgl_ignite.handlers.weight_average import WeightAverage


def test_memory_grows_up_to_the_decay() -> None:
    keep = ema(decay=0.4)
    assert [keep(done, 100) for done in range(1, 6)] == pytest.approx([2 / 11, 3 / 12, 4 / 13, 5 / 14, 0.4])


def test_nothing_is_averaged_before_the_start() -> None:
    keep = ema(decay=0.9, start=0.5)
    assert [keep(done, 6) for done in range(1, 6)] == pytest.approx([0, 0, 0, 2 / 11, 3 / 12])


def test_no_average_is_no_rule() -> None:
    assert none() is None
    assert set(WEIGHT_AVERAGES.kinds()) == {"none", "ema"}


class Growing(nn.Module):
    """A weight and a statistic that are set by hand, and a counter."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0, 10.0]))
        self.register_buffer("statistic", torch.tensor(0.0))
        self.register_buffer("batches", torch.tensor(0))

    def step(self) -> None:
        with torch.no_grad():
            self.weight *= 2
            self.statistic += 1
            self.batches += 1


def averaged(steps: int, keep) -> tuple[Growing, WeightAverage]:
    network = Growing()
    average = WeightAverage(network, keep)
    engine = Engine(lambda *_: network.step())
    average.attach(engine)
    engine.run(range(steps), max_epochs=1)
    return network, average


def test_five_steps_by_hand() -> None:
    """The weight is 1, 2, 4, ..., 32 times its start and the statistic 0, 1, ..., 5; each step keeps a half."""
    network, average = averaged(5, lambda done, total: 0.5)
    factor, statistic = 1.0, 0.0
    for step in range(1, 6):
        factor = factor / 2 + 2**step / 2
        statistic = statistic / 2 + step / 2
    assert average.weights["weight"].tolist() == [factor, 10 * factor]
    assert average.weights["statistic"].item() == statistic
    assert network.weight.tolist() == [32.0, 320.0]


def test_the_pool_is_lent_its_average_and_gets_its_weights_back() -> None:
    network, average = averaged(3, lambda done, total: 0.5)
    judged = average.judged(lambda: (network.weight[0].item(), network.statistic.item(), network.batches.item()))()
    assert judged == (((1 / 2 + 2 / 2) / 2 + 4 / 2) / 2 + 8 / 2, ((0 + 1 / 2) / 2 + 2 / 2) / 2 + 3 / 2, 3)
    assert (network.weight[0].item(), network.statistic.item()) == (8.0, 3.0)


def test_the_weights_come_back_when_judging_fails() -> None:
    network, average = averaged(2, lambda done, total: 0.5)
    with pytest.raises(KeyboardInterrupt), average.lent():
        raise KeyboardInterrupt
    assert network.weight[0].item() == 4.0


def test_a_loaded_average_goes_on() -> None:
    _, average = averaged(4, lambda done, total: 0.5)
    network, again = averaged(2, lambda done, total: 0.5)
    saved = {name: value.clone() for name, value in again.state_dict().items()}
    fresh = WeightAverage(network, lambda done, total: 0.5)
    engine = Engine(lambda *_: network.step())
    fresh.attach(engine)
    engine.add_event_handler(Events.STARTED, lambda _: fresh.load_state_dict(saved))
    engine.run(range(2), max_epochs=1)
    assert fresh.weights["weight"].equal(average.weights["weight"])
