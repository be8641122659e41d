from __future__ import annotations

import math

import pytest
from ignite.engine import Engine

from cgl_ignite.config.schema import Ramp
from cgl_ignite.handlers.ramp import RampUp


def weights(ramp: Ramp, epochs: int) -> list[float]:
    """Write down φ in every iteration of a training of two iterations an epoch."""
    seen: list[float] = []
    engine = Engine(lambda engine, _: seen.append(engine.state.ramp))
    RampUp(ramp, epochs).attach(engine)
    engine.run([0, 1], max_epochs=epochs)
    assert seen[::2] == seen[1::2]
    return seen[::2]


def test_the_papers_range_is_the_first_fifth_of_the_epochs() -> None:
    found = weights(Ramp(), 200)
    assert found[0] == pytest.approx(math.exp(-5))
    assert found[20] == pytest.approx(math.exp(-1.25))
    assert found[39] < 1
    assert found[40:] == [1.0] * 160
    assert found[:41] == sorted(found[:41])


def test_a_later_range_has_full_weight_before_it() -> None:
    found = weights(Ramp(start=0.25, end=0.75), 8)
    expected = [math.exp(-5 * (1 - share) ** 2) for share in (0, 0.25, 0.5, 0.75)]
    assert found == pytest.approx([1, 1, *expected, 1, 1])


def test_an_empty_range_is_full_weight() -> None:
    assert weights(Ramp(start=0.0, end=0.0), 4) == [1.0] * 4


def test_the_weight_is_that_of_the_epoch_also_after_a_resume() -> None:
    engine = Engine(lambda engine, _: engine.state.ramp)
    RampUp(Ramp(end=1.0), 4).attach(engine)
    engine.load_state_dict({"epoch_length": 3, "iteration": 7, "max_epochs": 4})
    engine.run([0] * 3, max_epochs=3, epoch_length=3)
    assert engine.state.ramp == pytest.approx(math.exp(-5 * (1 - 2 / 4) ** 2))


def test_the_range_begins_in_its_first_epoch() -> None:
    assert weights(Ramp(start=0.28, end=1.0), 25)[7] == pytest.approx(math.exp(-5))
