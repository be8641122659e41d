"""Metrics of the predicted classes, by the names that scikit-learn has for them; shares are in percent."""

from __future__ import annotations

import torch
from torch import Tensor

from cgl_ignite.metrics.base import PREDICTION_METRICS

__all__ = ["balanced_accuracy", "cohen_kappa", "confusion_matrix", "f1", "macro_f1", "precision", "recall"]


def confusion_matrix(predicted: Tensor, targets: Tensor, classes: int) -> Tensor:
    """Count the rows of each class (first index) that are predicted as each class (second index).

    Shape: predicted and targets (N,); result float64 (C, C), on their device.

    Example:
        >>> confusion_matrix(torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1]), 2).tolist()
        [[1.0, 1.0], [0.0, 1.0]]
    """
    cells = targets.long() * classes + predicted.long()
    counts = torch.zeros(classes * classes, dtype=torch.int64, device=cells.device)
    return counts.scatter_add_(0, cells, torch.ones_like(cells)).view(classes, classes).double()


@PREDICTION_METRICS.register("precision", unit="%", each="class")
def precision(probabilities: Tensor, targets: Tensor) -> Tensor:
    """How many of the rows that are predicted as a class are of it; 0 if none is. Shape: result (C,)."""
    counts = _counts(probabilities, targets)
    return 100 * counts.diagonal() / counts.sum(0).clamp(min=1)


@PREDICTION_METRICS.register("recall", unit="%", each="class")
def recall(probabilities: Tensor, targets: Tensor) -> Tensor:
    """How many of the rows of a class are predicted as it; 0 if it has none. Shape: result (C,)."""
    counts = _counts(probabilities, targets)
    return 100 * counts.diagonal() / counts.sum(1).clamp(min=1)


@PREDICTION_METRICS.register("f1", unit="%", each="class")
def f1(probabilities: Tensor, targets: Tensor) -> Tensor:
    """The harmonic mean of precision and recall of each class; 0 if both are. Shape: result (C,)."""
    counts = _counts(probabilities, targets)
    return 200 * counts.diagonal() / (counts.sum(0) + counts.sum(1)).clamp(min=1)


@PREDICTION_METRICS.register("balanced_accuracy", unit="%")
def balanced_accuracy(probabilities: Tensor, targets: Tensor) -> Tensor:
    """The mean recall of the classes that have rows."""
    counts = _counts(probabilities, targets)
    rows = counts.sum(1)
    return 100 * (counts.diagonal() / rows.clamp(min=1)).sum() / (rows > 0).sum()


@PREDICTION_METRICS.register("macro_f1", unit="%")
def macro_f1(probabilities: Tensor, targets: Tensor) -> Tensor:
    """The mean F1 of the classes that have rows or are predicted."""
    counts = _counts(probabilities, targets)
    seen = counts.sum(0) + counts.sum(1)
    return 200 * (counts.diagonal() / seen.clamp(min=1)).sum() / (seen > 0).sum()


@PREDICTION_METRICS.register("cohen_kappa")
def cohen_kappa(probabilities: Tensor, targets: Tensor) -> Tensor:
    r"""Agreement of predictions and targets beyond chance (Cohen 1960), at most 1; NaN if both are one and the same.

    .. math:: \kappa = \frac{p_o - p_e}{1 - p_e}

    with the accuracy :math:`p_o`, and :math:`p_e` that of predictions drawn with their own shares of the classes.
    """
    counts = _counts(probabilities, targets)
    shares = counts / counts.sum()
    expected = shares.sum(0) @ shares.sum(1)
    return (shares.diagonal().sum() - expected) / (1 - expected)


def _counts(probabilities: Tensor, targets: Tensor) -> Tensor:
    return confusion_matrix(probabilities.argmax(dim=-1), targets, probabilities.shape[-1])
