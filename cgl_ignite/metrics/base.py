"""Metrics of all students: means over samples, and figures of all predictions on a part of the data together."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from cgl_ignite.registry import Registry

__all__ = ["METRICS", "PREDICTION_METRICS", "PerSample", "PredictionMetric"]

PerSample = Callable[[Tensor, Tensor], Tensor]
PredictionMetric = Callable[[Tensor, Tensor], Tensor]

METRICS: Registry[PerSample] = Registry("metric")
"""Functions of logits (K, B, C) and targets (B,): for every sample one value per student (B, K), or more (B, ...).

They are of rows with one class.
"""

PREDICTION_METRICS: Registry[PredictionMetric] = Registry("prediction metric")
"""Functions of the probabilities (N, C) that one student gives, and of the targets (N,), on the device: one value, or
one for each class (C,). Those that ``run.metrics`` names are measured. Where rows have several labels, targets are
(N, C), 1 for each label of a row and 0 for the others.

Facts of a kind: ``better``, ``"higher"`` (where it is left out) or ``"lower"``; ``unit``, ``"%"`` or nothing; ``each``,
``"class"`` where there is one value for each class; ``classes``, the least and the greatest number of classes for which
it is defined, None for no limit; ``every_class``, True where every class must have rows in the part; ``tasks``, the
names of those for which it is defined, only ``single_label`` where it is left out.
"""
