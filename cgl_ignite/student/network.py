"""A student as it is handed over: pixels or token ids in, logits out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from cgl_ignite.data import Normaliser, PadTokens, Tokenizer
from cgl_ignite.pool import ModularNetwork, extract_student
from cgl_ignite.student.card import Card

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Program", "Student", "example_inputs", "tokenizer_of"]


class Student(nn.Module):
    """A network with its normalisation or its tokenizer, in evaluation mode, apart from any pool.

    On the same normalised inputs its logits are those of the pool, up to the order in which a kernel adds;
    from pixels, the normalisation is rounded anew. In float32 both stay below 1e-4 of the largest logit.

    Shape: images float32 (B, C, H, W) in [0, 1], texts int64 (B, T); result float32 (B, classes).

    Args:
        network: the layers, one after the other.
        normaliser: mean and standard deviation per channel, in units of [0, 1]; token ids have none.
        tokenizer: of texts, what makes token ids of them.

    Example:
        >>> normaliser = Normaliser(mean=torch.tensor([0.5]), std=torch.tensor([0.25]))
        >>> student = Student(nn.Sequential(nn.Flatten()), normaliser)
        >>> student(torch.tensor([0.0, 0.5, 1.0]).view(1, 1, 1, 3)).tolist()
        [[-2.0, 0.0, 2.0]]
    """

    mean: Tensor | None
    std: Tensor | None

    def __init__(
        self, network: nn.Sequential, normaliser: Normaliser | PadTokens, tokenizer: Tokenizer | None = None
    ) -> None:
        super().__init__()
        self.network = network
        self.tokenizer = tokenizer
        mean, std = (normaliser.mean, normaliser.std) if isinstance(normaliser, Normaliser) else (None, None)
        self.register_buffer("mean", None if mean is None else mean.detach().clone())
        self.register_buffer("std", None if std is None else std.detach().clone())
        self.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        self.eval()

    @classmethod
    def of(
        cls, pool: ModularNetwork, student: int, normaliser: Normaliser | PadTokens, tokenizer: Tokenizer | None = None
    ) -> Student:
        """Copy a student (index from 0) out of a pool, on the pool's device."""
        network = extract_student(pool, student)
        return cls(network, normaliser.to(next(network.parameters()).device), tokenizer)

    def forward(self, inputs: Tensor) -> Tensor:
        if self.mean is not None and self.std is not None:
            shape = (-1, *(1,) * (inputs.dim() - 2))
            inputs = (inputs - self.mean.view(shape)) / self.std.view(shape)
        logits: Tensor = self.network(inputs)
        return logits


class Program(nn.Module):
    """A student out of a ``torch.export`` program: what a :class:`Student` answers, without its layers."""

    def __init__(self, program: nn.Module, tokenizer: Tokenizer | None) -> None:
        super().__init__()
        self.program = program
        self.tokenizer = tokenizer

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.program(inputs)
        return logits


def tokenizer_of(student: nn.Module) -> Tokenizer | None:
    """Return what makes token ids of texts for a student; None if it reads images."""
    return student.tokenizer if isinstance(student, (Student, Program)) else None


def example_inputs(card: Card) -> NDArray[Any]:
    """Make two inputs of the form a student reads, always the same.

    Shape: images float32 (2, C, H, W) in [0, 1), texts int64 (2, T) of any token ids but padding.
    """
    generator = np.random.default_rng(0)
    if card.modality == "text":
        return generator.integers(1, card.vocabulary, (2, *card.shape))
    return generator.random((2, *card.shape), np.float32)
