"""Cross-entropy, divergence and ramp-up in terms of probabilities, as the papers print them."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

Batches: TypeAlias = Sequence[tuple[Tensor, Tensor]]
"""Inputs and labels of every group."""

Imitated: TypeAlias = Sequence[Sequence[bool]]
"""Who imitates whom, (K, K)."""

Losses: TypeAlias = tuple[list[Tensor], list[Tensor], Tensor]
"""Cross-entropy and divergence of every student, and the loss that is trained."""


def total(values: Iterable[Tensor]) -> Tensor:
    return functools.reduce(torch.add, values)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return -logits.softmax(1)[range(len(labels)), labels].log().mean()


def divergence(teacher: Tensor, logits: Tensor, temperature: float) -> Tensor:
    """KL of the student's tempered prediction from the teacher's, without any factor."""
    p, q = (teacher / temperature).softmax(1), (logits / temperature).softmax(1)
    return (p * (p.log() - q.log())).sum(1).mean()


def ramp(epoch: int, length: float) -> float:
    """Epochs count from 0."""
    return 1.0 if epoch >= length else math.exp(-5 * (1 - epoch / length) ** 2)
