"""Metrics of the predicted classes, by the names that scikit-learn has for them; shares are in percent."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from cgl_ignite.metrics.base import PREDICTION_METRICS

__all__ = [
    "ClassCounts",
    "balanced_accuracy",
    "class_counts",
    "cohen_kappa",
    "confusion_matrix",
    "f1",
    "macro_f1",
    "precision",
    "recall",
]

_BOTH = ("single_label", "multi_label")


class ClassCounts(NamedTuple):
    """Rows by class, each (C,) float64.

    Attributes:
        hits: that are of a class and predicted as it.
        predicted: that are predicted as a class.
        rows: that are of a class.
        counted: whether the class counts in a mean over the classes, bool.
    """

    hits: Tensor
    predicted: Tensor
    rows: Tensor
    counted: Tensor


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


def class_counts(probabilities: Tensor, targets: Tensor) -> ClassCounts:
    """Count what is predicted by class: each row as its most probable one, or as all above 0.5 if targets are (N, C).

    As in scikit-learn, a mean over the classes is over those that occur, and where rows have several labels over all.
    """
    if targets.dim() == 1:
        counts = _counts(probabilities, targets)
        predicted, rows = counts.sum(0), counts.sum(1)
        return ClassCounts(counts.diagonal(), predicted, rows, predicted + rows > 0)
    given, right = probabilities > 0.5, targets > 0.5
    hits, predicted, rows = (which.sum(0).double() for which in (given & right, given, right))
    return ClassCounts(hits, predicted, rows, torch.ones_like(hits, dtype=torch.bool))


@PREDICTION_METRICS.register("precision", unit="%", each="class", tasks=_BOTH)
def precision(probabilities: Tensor, targets: Tensor) -> Tensor:
    """How many of the rows that are predicted as a class are of it; 0 if none is. Shape: result (C,)."""
    counts = class_counts(probabilities, targets)
    return 100 * counts.hits / counts.predicted.clamp(min=1)


@PREDICTION_METRICS.register("recall", unit="%", each="class", tasks=_BOTH)
def recall(probabilities: Tensor, targets: Tensor) -> Tensor:
    """How many of the rows of a class are predicted as it; 0 if it has none. Shape: result (C,)."""
    counts = class_counts(probabilities, targets)
    return 100 * counts.hits / counts.rows.clamp(min=1)


@PREDICTION_METRICS.register("f1", unit="%", each="class", tasks=_BOTH)
def f1(probabilities: Tensor, targets: Tensor) -> Tensor:
    """The harmonic mean of precision and recall of each class; 0 if both are. Shape: result (C,)."""
    counts = class_counts(probabilities, targets)
    return 200 * counts.hits / (counts.predicted + counts.rows).clamp(min=1)


@PREDICTION_METRICS.register("balanced_accuracy", unit="%")
def balanced_accuracy(probabilities: Tensor, targets: Tensor) -> Tensor:
    """The mean recall of the classes that have rows."""
    counts = _counts(probabilities, targets)
    rows = counts.sum(1)
    return 100 * (counts.diagonal() / rows.clamp(min=1)).sum() / (rows > 0).sum()


@PREDICTION_METRICS.register("macro_f1", unit="%", tasks=_BOTH)
def macro_f1(probabilities: Tensor, targets: Tensor) -> Tensor:
    """The mean F1 of the classes that have rows or are predicted; of all classes where rows have several labels."""
    counts = class_counts(probabilities, targets)
    seen = counts.predicted + counts.rows
    return 200 * (counts.hits / seen.clamp(min=1)).sum() / counts.counted.sum()


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
