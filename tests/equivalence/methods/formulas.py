"""Cross-entropy, divergence and ramp-up in terms of probabilities, as the papers print them."""

from __future__ import annotations

import math

from torch import Tensor


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return -logits.softmax(1)[range(len(labels)), labels].log().mean()


def divergence(teacher: Tensor, logits: Tensor, temperature: float) -> Tensor:
    """KL of the student's tempered prediction from the teacher's, without any factor."""
    p, q = (teacher / temperature).softmax(1), (logits / temperature).softmax(1)
    return (p * (p.log() - q.log())).sum(1).mean()


def ramp(epoch: int, length: float) -> float:
    """Epochs count from 0."""
    return 1.0 if epoch >= length else math.exp(-5 * (1 - epoch / length) ** 2)
