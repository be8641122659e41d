"""The learning rate of every iteration."""

from __future__ import annotations

import torch
from ignite.engine import Engine, Events
from torch import Tensor
from torch.optim import Optimizer

from cgl_ignite.handlers.state import state_of
from cgl_ignite.schedules import FACTOR, Schedule

__all__ = ["LearningRate"]


class LearningRate:
    """Set the learning rate of every iteration from its number alone, so that a resumed run has the right one.

    ``start``: the epochs before the schedule begins, those of an earlier stage.
    """

    def __init__(self, optimizer: Optimizer, learning_rate: float, schedule: Schedule, start: int = 0) -> None:
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.start = start
        self._set: float | None = None

    def attach(self, engine: Engine) -> None:
        """Write ``state.learning_rate`` and the optimizer when an iteration starts."""
        engine.add_event_handler(Events.ITERATION_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        state = state_of(engine)
        state.learning_rate = self.at(state.iteration, state.epoch_length)
        if state.learning_rate != self._set:
            self._set = state.learning_rate
            for group in self.optimizer.param_groups:
                rate = self._set * group.get(FACTOR, 1.0)
                if isinstance(group["lr"], Tensor):
                    group["lr"].fill_(torch.tensor(rate, dtype=torch.float64))  # beyond float32 it is infinite
                else:
                    group["lr"] = rate

    def at(self, iteration: int, epoch_length: int) -> float:
        """Return the rate of an iteration, counted from 1 over the whole training."""
        return self.learning_rate * self.schedule((iteration - 1) / epoch_length - self.start)
