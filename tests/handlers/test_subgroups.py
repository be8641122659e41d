from __future__ import annotations

import torch
from ignite.engine import Engine, Events

from cgl_ignite.handlers.subgroups import SubgroupResampler
from cgl_ignite.imitation.choose import bernoulli

CHOICE = bernoulli(6, probability=0.5)


def choices(seed: int, start: int = 0) -> list[list[list[bool]]]:
    """Write down whom everyone imitates in each of six iterations, in the step itself."""
    engine = Engine(lambda engine, _: seen.append(engine.state.imitated.tolist()))
    seen: list[list[list[bool]]] = []
    SubgroupResampler(CHOICE, seed).attach(engine)
    if start:
        engine.load_state_dict({"epoch_length": 3, "iteration": start, "max_epochs": 2})
    engine.run([0] * 3, max_epochs=2, epoch_length=3)
    return seen


def test_every_iteration_has_a_draw_of_its_own() -> None:
    drawn = choices(1)
    assert len({str(table) for table in drawn}) == 6
    assert choices(2) != drawn


def test_a_draw_is_a_function_of_seed_and_iteration() -> None:
    assert choices(1) == choices(1)
    assert choices(1, start=4) == choices(1)[4:]


def test_the_draw_is_there_before_the_step_and_on_the_cpu() -> None:
    engine = Engine(lambda engine, _: None)
    SubgroupResampler(CHOICE, 1).attach(engine)
    engine.state.iteration = 1
    engine.fire_event(Events.ITERATION_STARTED)
    imitated = engine.state.imitated
    assert (imitated.dtype, imitated.shape, imitated.device) == (torch.bool, (6, 6), torch.device("cpu"))
