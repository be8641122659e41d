"""Averages of the weights over the iterations, as plain functions of how far the training is."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Annotated

from pydantic import Field

from cgl_ignite.registry import Registry

__all__ = ["WEIGHT_AVERAGES", "KeptShare", "ema", "none"]

KeptShare = Callable[[int, int], float]
"""From the iterations that are done and those of the whole training to the share that the average keeps of itself."""

WEIGHT_AVERAGES: Registry[Callable[..., KeptShare | None]] = Registry("average of weights")
"""Builders of a rule; None leaves the weights as they are."""


@WEIGHT_AVERAGES.register("none")
def none() -> None:
    """Use the weights as they are trained."""


@WEIGHT_AVERAGES.register("ema")
def ema(
    *, decay: Annotated[float, Field(ge=0, lt=1)] = 0.998, start: Annotated[float, Field(ge=0, lt=1)] = 0.0
) -> KeptShare:
    r"""Average exponentially (Polyak & Juditsky 1992), with short memory in the first iterations.

    After iteration t, with n iterations since the start of the average:

    .. math::
        \bar\theta_t = d_n \, \bar\theta_{t-1} + (1 - d_n) \, \theta_t, \qquad
        d_n = \min\left(d, \frac{1 + n}{10 + n}\right)

    Args:
        decay: d.
        start: the fraction of all iterations that go before; until then the average is the weights themselves.

    Example:
        >>> keep = ema(decay=0.5, start=0.25)
        >>> [round(keep(t, 8), 3) for t in (1, 2, 3, 4, 20)]
        [0.0, 0.0, 0.182, 0.25, 0.5]
    """

    def keep(done: int, total: int) -> float:
        since = done - ceil(start * total)
        return min(decay, (1 + since) / (10 + since)) if since > 0 else 0.0

    return keep
