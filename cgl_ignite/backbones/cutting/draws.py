"""Random operations in a network: which modules a pool gives an address, and whether anything else draws."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

__all__ = ["drops_paths", "is_addressed", "unchanged_randomness"]

DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
PATHS = {("torchvision.ops.stochastic_depth", "StochasticDepth"), ("timm.layers.drop", "DropPath")}


def drops_paths(module: nn.Module) -> bool:
    """Tell whether a module drops whole residual branches: ``StochasticDepth`` of torchvision, ``DropPath`` of timm."""
    return (type(module).__module__, type(module).__name__) in PATHS


def is_addressed(module: nn.Module) -> bool:
    """Tell whether a pool gives the random draws of a module an address."""
    return drops_paths(module) or type(module) in DROPOUTS


@contextmanager
def unchanged_randomness() -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether anything was drawn from a global generator since then.

    The states of those of Python and NumPy are put back at the end.
    """
    before = _states()
    python, numbers = random.getstate(), np.random.get_state()
    try:
        yield lambda: before != _states()
    finally:
        random.setstate(python)
        np.random.set_state(numbers)


def _states() -> tuple[Any, ...]:
    numbers = np.random.get_state(legacy=False)["state"]
    return bytes(torch.get_rng_state().numpy()), random.getstate(), bytes(numbers["key"]), numbers["pos"]
