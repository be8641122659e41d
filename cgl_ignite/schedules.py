"""Schedules of the learning rate, as plain functions of how much of the training is done."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from cgl_ignite.registry import Registry

__all__ = ["FACTOR", "SCHEDULES", "Schedule", "constant", "cosine", "linear", "milestones", "one_cycle"]

Schedule = Callable[[float], float]
"""From the epochs that are done, with the fraction of the current one, to a factor of the learning rate."""

FACTOR = "learning_rate_factor"
"""What a group of the optimizer's parameters multiplies the learning rate by; without it by 1."""

Fraction = Annotated[float, Field(gt=0, lt=1)]
Warmup = Annotated[float, Field(ge=0, lt=1)]
Factor = Annotated[float, Field(ge=0, le=1)]

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


@SCHEDULES.register("cosine")
def cosine(epochs: int, *, warmup: Warmup = 0.0, final: Factor = 0.0) -> Schedule:
    r"""Let the learning rate rise linearly, then fall along half a cosine (Loshchilov & Hutter 2017).

    With x, the fraction of the training that is done, w = ``warmup`` and f = ``final``:

    .. math::
        s(x) = x / w \quad (x < w), \qquad
        s(x) = f + (1 - f) \, \tfrac12 \left(1 + \cos \pi \tfrac{x - w}{1 - w}\right)

    Args:
        epochs: of the training.
        warmup: the fraction of all iterations in which the rate rises from 0.
        final: the factor that the rate falls to.

    Example:
        >>> [round(cosine(8)(done), 3) for done in (0, 2, 4, 6, 8)]
        [1.0, 0.854, 0.5, 0.146, 0.0]
        >>> [round(cosine(8, warmup=0.25, final=0.1)(done), 3) for done in (0, 1, 2, 5, 8)]
        [0.0, 0.5, 1.0, 0.55, 0.1]
    """
    return _risen(epochs, warmup, 0.0, lambda x: final + (1 - final) * _half_cosine(x))


@SCHEDULES.register("linear")
def linear(epochs: int, *, warmup: Warmup = 0.0, final: Factor = 0.0) -> Schedule:
    r"""Let the learning rate rise linearly, then fall linearly.

    .. math::
        s(x) = x / w \quad (x < w), \qquad s(x) = f + (1 - f) \left(1 - \tfrac{x - w}{1 - w}\right)

    Args:
        epochs: of the training.
        warmup: the fraction of all iterations in which the rate rises from 0.
        final: the factor that the rate falls to.

    Example:
        >>> [round(linear(10, warmup=0.2, final=0.5)(done), 3) for done in (0, 1, 2, 6, 10)]
        [0.0, 0.5, 1.0, 0.75, 0.5]
    """
    return _risen(epochs, warmup, 0.0, lambda x: final + (1 - final) * (1 - x))


@SCHEDULES.register("one_cycle")
def one_cycle(epochs: int, *, warmup: Warmup = 0.3, start: Factor = 0.04, final: Factor = 4e-6) -> Schedule:
    """Let the learning rate rise and fall along half a cosine each (Smith & Topin 2019).

    Args:
        epochs: of the training.
        warmup: the fraction of all iterations in which the rate rises.
        start: the factor it rises from.
        final: the factor it falls to.

    Example:
        >>> [round(one_cycle(10)(done), 3) for done in (0, 1.5, 3, 6.5, 10)]
        [0.04, 0.52, 1.0, 0.5, 0.0]
    """
    return _risen(epochs, warmup, start, lambda x: final + (1 - final) * _half_cosine(x), _half_cosine)


def _risen(
    epochs: int,
    warmup: float,
    start: float,
    fall: Callable[[float], float],
    left: Callable[[float], float] = lambda x: 1 - x,
) -> Schedule:
    """Rise from ``start`` to 1, then fall; ``left`` is how much of the rise is left, as a function of its progress."""

    def schedule(done: float) -> float:
        x = min(done / epochs, 1.0)
        if x < warmup:
            return start + (1 - start) * (1 - left(x / warmup))
        return fall((x - warmup) / (1 - warmup))

    return schedule


def _half_cosine(x: float) -> float:
    return (1 + math.cos(math.pi * x)) / 2
