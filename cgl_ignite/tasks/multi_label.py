"""The task with any number of labels for each row, none included: a sigmoid and a binary cross-entropy per class."""

from __future__ import annotations

import torch
from torch import Tensor

from cgl_ignite.metrics.base import PerSample
from cgl_ignite.registry import Registry
from cgl_ignite.tasks.base import TASKS, Coded, Task
from cgl_ignite.tasks.binary import BINARY_MIXES, binary_cross_entropy, logits_of_mean

__all__ = ["MULTI_LABEL", "MULTI_LABEL_METRICS"]

MULTI_LABEL_METRICS: Registry[PerSample] = Registry("metric of several labels")
"""Functions of logits (K, B, C) and targets (B, C): for every sample one value per student (B, K), or more (B, ...)."""


@MULTI_LABEL_METRICS.register("accuracy")
def accuracy(logits: Tensor, targets: Tensor) -> Tensor:
    """Rows all of whose labels are right, in percent: the subset accuracy. Shape: result (B, K)."""
    return ((logits > 0) == (targets > 0.5)).all(dim=-1).T * 100.0


@MULTI_LABEL_METRICS.register("cross_entropy")
def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean binary cross-entropy of the classes, in nats. Shape: result (B, K)."""
    return binary_cross_entropy(logits, targets.expand(len(logits), -1, -1)).T


@MULTI_LABEL_METRICS.register("diversity")
def pairwise_diversity(logits: Tensor, targets: Tensor) -> Tensor:
    r"""Distance of every pair of predictions for each sample, as the root of the mean square over the classes.

    .. math:: d_{ij}(x) = \sqrt{\frac{2}{C} \sum_c (\sigma(z_i^c) - \sigma(z_j^c))^2} \in [0, \sqrt 2]

    Each class counts as the distance of its predictions as two classes, yes and no. Shape: result (B, K, K).
    """
    probabilities = logits.sigmoid().transpose(0, 1)
    distances: Tensor = torch.cdist(probabilities, probabilities, compute_mode="donot_use_mm_for_euclid_dist")
    scale: float = (2 / logits.shape[-1]) ** 0.5
    return distances * scale


def _decide(logits: Tensor) -> Tensor:
    return logits > 0


def _code(predicted: Tensor, targets: Tensor) -> Coded:
    """Number the different sets of labels. Shape: predicted bool (K, N, C), targets (N, C)."""
    students, rows, classes = predicted.shape
    every = torch.cat([predicted.reshape(-1, classes), targets > 0.5])
    label_sets, numbers = every.unique(dim=0, return_inverse=True)
    numbers = numbers.to(torch.int32)
    return Coded(numbers[: students * rows].view(students, rows), numbers[students * rows :], label_sets)


MULTI_LABEL = Task(
    name="multi_label",
    loss=binary_cross_entropy,
    mixes=BINARY_MIXES,
    probabilities=torch.sigmoid,
    decide=_decide,
    together=logits_of_mean,
    scores=MULTI_LABEL_METRICS,
    code=_code,
    one_each=torch.eye,
    answers="one logit per label; sigmoid makes them probabilities, and an input has each label above 0.5",
    several_labels=True,
)
"""Any number of labels for each row."""

TASKS[MULTI_LABEL.name] = MULTI_LABEL
