"""All metrics as Ignite's running means, kept on the device."""

from __future__ import annotations

import torch
from ignite.metrics import Average

from cgl_ignite.metrics.base import METRICS, PerSample
from cgl_ignite.registry import Registry

__all__ = ["student_metrics"]


def student_metrics(device: torch.device, metrics: Registry[PerSample] = METRICS) -> dict[str, Average]:
    """Build the running mean over samples of every registered metric, kept on the device until it is read."""
    return {kind: _average(metrics.get(kind), device) for kind in metrics.kinds()}


def _average(metric: PerSample, device: torch.device) -> Average:
    return Average(output_transform=lambda output: metric(*output), device=device)
