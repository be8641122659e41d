"""The precision that layers compute in."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

__all__ = ["full", "lowered"]


def lowered(precision: torch.dtype, device: torch.device) -> AbstractContextManager[None]:
    """Let convolutions and matrix products run in a lower precision (PyTorch's autocast).

    Weights are cast in every call anew: a cast that is kept for later calls would add up their gradients in the lower
    precision, and one that is made without a gradient would give later calls none.
    """
    if precision == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, precision, cache_enabled=False)


def full(values: Tensor) -> Tensor:
    """Return what losses and weights of imitation are computed from: float32, unless it is more precise."""
    return values.float() if values.dtype == torch.bfloat16 else values
