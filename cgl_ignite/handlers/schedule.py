"""The learning rate as a function of the epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from ignite.engine import Engine, Events
from pydantic import Field
from torch import Tensor
from torch.optim import Optimizer

from cgl_ignite.handlers.state import state_of
from cgl_ignite.registry import Registry

__all__ = ["SCHEDULES", "LearningRate", "Schedule", "constant", "milestones"]

Schedule = Callable[[int], float]
Fraction = Annotated[float, Field(gt=0, lt=1)]

SCHEDULES: Registry[Callable[..., Schedule]] = Registry("schedule")
"""Builders given the number of epochs; a schedule maps an epoch, counted from 1, to a factor of the learning rate."""


@SCHEDULES.register("constant")
def constant(epochs: int) -> Schedule:
    """Keep the learning rate."""
    return lambda epoch: 1.0


@SCHEDULES.register("milestones")
def milestones(
    epochs: int,
    *,
    at: tuple[Fraction, ...] = (0.3, 0.6, 0.8),
    factor: Annotated[float, Field(gt=0)] = 0.5,
) -> Schedule:
    """Multiply the learning rate by ``factor`` after each of the given fractions of the epochs.

    The paper's 60, 120 and 160 of 200 epochs are 0.3, 0.6 and 0.8: the 61st epoch is the first at half the rate.

    Example:
        >>> [milestones(200)(epoch) for epoch in (1, 60, 61, 121, 161)]
        [1.0, 1.0, 0.5, 0.25, 0.125]
    """
    passed = [round(fraction * epochs) for fraction in at]
    return lambda epoch: float(factor ** sum(epoch > milestone for milestone in passed))


class LearningRate:
    """Set the learning rate of every epoch from the epoch alone, so that a resumed run has the right one."""

    def __init__(self, optimizer: Optimizer, learning_rate: float, schedule: Schedule) -> None:
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule

    def attach(self, engine: Engine) -> None:
        """Write ``state.learning_rate`` and the optimizer when an epoch starts."""
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        state_of(engine).learning_rate = self.learning_rate * self.schedule(state_of(engine).epoch)
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(state_of(engine).learning_rate)
            else:
                group["lr"] = state_of(engine).learning_rate
