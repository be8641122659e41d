"""Metrics over all students at once: functions of logits and labels, averaged over samples on the device."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from cgl_ignite.registry import Registry

__all__ = ["METRICS", "PerSample"]

PerSample = Callable[[Tensor, Tensor], Tensor]

METRICS: Registry[PerSample] = Registry("metric")
"""Functions of logits (K, B, C) and targets (B,): for every sample one value per student (B, K), or more (B, ...)."""
