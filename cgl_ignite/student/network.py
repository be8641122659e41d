"""A student as it is handed over: pixels in, logits out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from cgl_ignite.data import Normaliser
from cgl_ignite.pool import ModularNetwork, extract_student
from cgl_ignite.student.card import Card

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Student", "example_inputs"]


class Student(nn.Module):
    """A network with its normalisation: plain ``torch.nn`` layers in evaluation mode, apart from any pool.

    On the same normalised inputs its logits are those of the pool, up to the order in which a kernel adds;
    from pixels, the normalisation is rounded anew. In float32 both stay below 1e-4 of the largest logit.

    Shape: inputs float32 (B, C, H, W) in [0, 1]; result float32 (B, classes).

    Args:
        network: the layers, one after the other.
        normaliser: mean and standard deviation per channel, in units of [0, 1].

    Example:
        >>> normaliser = Normaliser(mean=torch.tensor([0.5]), std=torch.tensor([0.25]))
        >>> student = Student(nn.Sequential(nn.Flatten()), normaliser)
        >>> student(torch.tensor([0.0, 0.5, 1.0]).view(1, 1, 1, 3)).tolist()
        [[-2.0, 0.0, 2.0]]
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Sequential, normaliser: Normaliser) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", normaliser.mean.detach().clone())
        self.register_buffer("std", normaliser.std.detach().clone())
        self.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        self.eval()

    @classmethod
    def of(cls, pool: ModularNetwork, student: int, normaliser: Normaliser) -> Student:
        """Copy a student (index from 0) out of a pool, on the pool's device."""
        network = extract_student(pool, student)
        return cls(network, normaliser.to(next(network.parameters()).device))

    def forward(self, pixels: Tensor) -> Tensor:
        shape = (-1, *(1,) * (pixels.dim() - 2))
        logits: Tensor = self.network((pixels - self.mean.view(shape)) / self.std.view(shape))
        return logits


def example_inputs(card: Card) -> NDArray[np.float32]:
    """Make two inputs of the form a student reads, always the same. Shape: float32 (2, C, H, W) in [0, 1)."""
    return np.random.default_rng(0).random((2, *card.shape), np.float32)
