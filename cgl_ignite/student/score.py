"""How right one student is on its own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from cgl_ignite.data import Examples
from cgl_ignite.metrics.scores import accuracy, cross_entropy

__all__ = ["Measured", "measure", "predict"]

ROWS = 128


@dataclass(frozen=True)
class Measured:
    """Accuracy in percent and cross-entropy in nats over ``n`` samples."""

    accuracy: float
    cross_entropy: float
    n: int


def predict(student: nn.Module, inputs: torch.Tensor, device: torch.device | str = "cpu") -> torch.Tensor:
    """Return the logits of all inputs, on the CPU. Shape: uint8 (N, C, H, W); result float32 (N, classes)."""
    with torch.inference_mode():
        parts = [student(rows.to(device).float() / 255).cpu() for rows in inputs.split(ROWS)]
    return torch.cat(parts)


def measure(student: nn.Module, examples: Examples, device: torch.device | str = "cpu") -> Measured:
    """Measure a student on labelled examples."""
    logits = predict(student, examples.inputs, device).unsqueeze(0).double()
    means = (metric(logits, examples.targets).mean().item() for metric in (accuracy, cross_entropy))
    return Measured(*means, len(examples))
