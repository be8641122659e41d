"""The trainer: one engine, and the handlers whose order is the story of a run."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Protocol

from ignite.engine import Engine, Events

from cgl_ignite.data import Batches
from cgl_ignite.engine.step import CollaborativeStep
from cgl_ignite.handlers.selection import StudentSelector

__all__ = ["Handler", "build_trainer", "train"]


class Handler(Protocol):
    """Anything that attaches itself to an engine."""

    def attach(self, engine: Engine) -> None: ...


def build_trainer(step: CollaborativeStep, handlers: Iterable[Handler]) -> Engine:
    """Build an engine around the step; handlers of one event run in the order they are given.

    Errors are raised to the caller, so the engine does not log them a second time.
    """
    trainer = Engine(step)
    trainer.logger.setLevel(logging.CRITICAL)
    for handler in handlers:
        handler.attach(trainer)
    return trainer


def train(trainer: Engine, batches: Batches, epochs: int, selector: StudentSelector) -> None:
    """Train from where the engine stands to the end of the last epoch, and complete the run.

    An epoch whose last iteration is done but which was never judged, because the run stopped in between, is judged
    first, with what its last iteration was given. A training that was complete but never closed goes straight to its
    end.
    """
    iteration, length = trainer.state.iteration, batches.epoch_length

    @trainer.on(Events.STARTED)
    def judge(engine: Engine) -> None:
        if selector.judged < iteration // length:
            for event in (Events.EPOCH_STARTED, Events.ITERATION_STARTED, Events.EPOCH_COMPLETED):
                engine.fire_event(event)

    if iteration < epochs * length:
        trainer.run(batches.stream(iteration), max_epochs=epochs, epoch_length=length)
    else:
        trainer.fire_event(Events.STARTED)
        trainer.fire_event(Events.COMPLETED)
