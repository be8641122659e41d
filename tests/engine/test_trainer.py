from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from types import SimpleNamespace

import pytest
from ignite.engine import Engine, Events

from cgl_ignite.engine.trainer import build_trainer, train

LENGTH, EPOCHS = 3, 2
STORY = [
    "started", "epoch 1 begins", "step 0", "step 1", "step 2", "epoch 1 judged",
    "epoch 2 begins", "step 3", "step 4", "step 5", "epoch 2 judged", "completed",
]  # fmt: skip


class Numbers:
    """Batches that are their own iteration."""

    epoch_length = LENGTH

    def stream(self, iteration: int) -> Iterator[int]:
        return iter(count(iteration))


class Teller:
    """Tells the story of a training, and judges its epochs."""

    def __init__(self, judged: int = 0) -> None:
        self.story: list[str] = []
        self.selector = SimpleNamespace(judged=judged)

    def attach(self, engine: Engine) -> None:
        tell = self.story.append
        engine.add_event_handler(Events.STARTED, lambda _: tell("started"))
        engine.add_event_handler(Events.EPOCH_STARTED, lambda engine: tell(f"epoch {engine.state.epoch} begins"))
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.judge)
        engine.add_event_handler(Events.COMPLETED, lambda _: tell("completed"))

    def judge(self, engine: Engine) -> None:
        self.selector.judged = engine.state.epoch
        self.story.append(f"epoch {engine.state.epoch} judged")


def tell(iteration: int = 0, judged: int = 0) -> list[str]:
    """Train from where an engine stands to the end."""
    teller = Teller(judged)
    trainer = build_trainer(lambda _, batch: teller.story.append(f"step {batch}"), [teller])
    if iteration:
        trainer.load_state_dict({"epoch_length": LENGTH, "iteration": iteration, "max_epochs": EPOCHS})
    train(trainer, Numbers(), EPOCHS, teller.selector)
    assert trainer.state.iteration == LENGTH * EPOCHS
    assert trainer.state.epoch == EPOCHS
    return teller.story


def test_a_training_from_the_start() -> None:
    assert tell() == STORY


@pytest.mark.parametrize(("iteration", "judged"), [(1, 0), (2, 0), (4, 1), (5, 1)])
def test_a_training_goes_on_within_an_epoch(iteration: int, judged: int) -> None:
    story = tell(iteration, judged)
    left = STORY[STORY.index(f"step {iteration}") :]
    assert story == ["started", f"epoch {judged + 1} begins", *left]


def test_a_training_goes_on_after_an_epoch() -> None:
    assert tell(3, judged=1) == ["started", *STORY[6:]]


def test_an_epoch_that_was_never_judged_is_judged_first() -> None:
    assert tell(3, judged=0) == ["started", "epoch 1 begins", "epoch 1 judged", *STORY[6:]]


def test_a_complete_training_goes_straight_to_its_end() -> None:
    assert tell(6, judged=2) == ["started", "completed"]


def test_a_complete_training_whose_last_epoch_was_never_judged() -> None:
    assert tell(6, judged=1) == ["started", "epoch 2 begins", "epoch 2 judged", "completed"]


def test_handlers_run_in_the_order_they_are_given() -> None:
    order: list[str] = []

    def handler(name: str) -> SimpleNamespace:
        return SimpleNamespace(
            attach=lambda engine: engine.add_event_handler(Events.STARTED, lambda _: order.append(name))
        )

    trainer = build_trainer(lambda *_: None, map(handler, "cab"))
    trainer.run([0])
    assert order == ["c", "a", "b"]
