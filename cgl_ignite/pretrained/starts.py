"""What makes the modules of a layer differ that begin with the same weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from cgl_ignite.errors import InputError
from cgl_ignite.registry import Registry

__all__ = ["STARTS", "Start", "equal", "last", "noise"]


@dataclass(frozen=True)
class Start:
    """How modules differ.

    Attributes:
        noise: added to every weight, as a share of the root mean square of its tensor.
        shared: how many of the first layers have a single module.
    """

    noise: float = 0.0
    shared: int = 0


STARTS: Registry[Callable[..., Start]] = Registry("start")
"""Builders given the number of layers, without the classifier."""


@STARTS.register("equal")
def equal(depth: int) -> Start:
    """Let modules begin equal: their students' data, and dropout, make them differ."""
    return Start()


@STARTS.register("noise")
def noise(depth: int, *, size: Annotated[float, Field(gt=0)] = 0.1) -> Start:
    """Add noise to the weights of layers with several modules.

    Args:
        size: its standard deviation, as a share of the root mean square of each tensor.
    """
    return Start(noise=size)


@STARTS.register("last")
def last(depth: int, *, layers: Annotated[int, Field(ge=1)] | None = None) -> Start:
    """Let only the last layers have several modules, which begin equal; all students run the one of the others.

    Args:
        layers: their number; by default half of all layers, rounded up.

    Raises:
        InputError: more than there are.
    """
    own = (depth + 1) // 2 if layers is None else layers
    if own > depth:
        raise InputError(f"layers = {own} is more than the {depth} layers there are")
    return Start(shared=depth - own)
