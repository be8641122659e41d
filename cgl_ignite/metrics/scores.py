"""How right each student is."""

from __future__ import annotations

from torch import Tensor

from cgl_ignite.metrics.base import METRICS
from cgl_ignite.objective import cross_entropy as sample_cross_entropy

__all__ = ["accuracy", "cross_entropy"]


@METRICS.register("accuracy")
def accuracy(logits: Tensor, targets: Tensor) -> Tensor:
    """Top-1 hits in percent. Shape: logits (K, B, C), targets (B,); result (B, K)."""
    return (logits.argmax(dim=-1) == targets).T * 100.0


@METRICS.register("cross_entropy")
def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy with the labels, in nats. Shape: logits (K, B, C), targets (B,); result (B, K)."""
    return sample_cross_entropy(logits, targets.expand(len(logits), -1)).T
