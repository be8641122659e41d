"""Metrics over all students at once: functions of logits and labels, averaged over samples on the device."""

from __future__ import annotations

from collections.abc import Callable

import torch
from ignite.metrics import Average
from torch import Tensor

from cgl_ignite.registry import Registry

__all__ = ["METRICS", "student_metrics"]

PerSample = Callable[[Tensor, Tensor], Tensor]

METRICS: Registry[PerSample] = Registry("metric")
"""Functions of logits (K, B, C) and targets (B,): for every sample one value per student (B, K), or more (B, ...)."""


def student_metrics(device: torch.device) -> dict[str, Average]:
    """Build the running mean over samples of every registered metric, kept on the device until it is read."""
    return {kind: _average(METRICS.get(kind), device) for kind in METRICS.kinds()}


def _average(metric: PerSample, device: torch.device) -> Average:
    return Average(output_transform=lambda output: metric(*output), device=device)
