"""Schedules of the learning rate, as plain functions of how much of the training is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from cgl_ignite.registry import Registry

__all__ = ["SCHEDULES", "Schedule", "constant", "milestones"]

Schedule = Callable[[float], float]
"""From the epochs that are done, with the fraction of the current one, to a factor of the learning rate."""

Fraction = Annotated[float, Field(gt=0, lt=1)]

SCHEDULES: Registry[Callable[..., Schedule]] = Registry("schedule")
"""Builders given the number of epochs."""


@SCHEDULES.register("constant")
def constant(epochs: int) -> Schedule:
    """Keep the learning rate."""
    return lambda done: 1.0


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
        >>> [milestones(200)(done) for done in (0, 59.9, 60, 120, 160)]
        [1.0, 1.0, 0.5, 0.25, 0.125]
    """
    passed = [round(fraction * epochs) for fraction in at]
    return lambda done: float(factor ** sum(done >= milestone for milestone in passed))
