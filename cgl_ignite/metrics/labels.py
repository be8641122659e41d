"""Metrics of rows with several labels, by the names that scikit-learn has for them; shares are in percent."""

from __future__ import annotations

import torch
from torch import Tensor

from cgl_ignite.metrics.base import PREDICTION_METRICS
from cgl_ignite.metrics.confusion import class_counts

__all__ = ["average_precision", "hamming_loss", "mean_average_precision", "micro_f1"]

_TASKS = ("multi_label",)


@PREDICTION_METRICS.register("average_precision", unit="%", each="class", tasks=_TASKS)
def average_precision(probabilities: Tensor, targets: Tensor) -> Tensor:
    r"""The area under the curve of precision over recall, for each class; 0 for one without rows.

    .. math:: \mathrm{AP} = \sum_n (R_n - R_{n-1}) \, P_n

    with precision and recall of the rows whose probability is at least the n-th highest one. Shape: result (C,).
    """
    ordered, order = probabilities.T.contiguous().sort(dim=1)
    right = (targets.T > 0.5).gather(1, order).double()
    first = torch.searchsorted(ordered, ordered)
    hits = right.flip(1).cumsum(1).flip(1).gather(1, first)
    precision = hits / (ordered.shape[1] - first)
    return 100 * (right * precision).sum(1) / right.sum(1).clamp(min=1)


@PREDICTION_METRICS.register("mean_average_precision", unit="%", tasks=_TASKS)
def mean_average_precision(probabilities: Tensor, targets: Tensor) -> Tensor:
    """The mean of the average precision of all classes; one without rows counts as 0."""
    return average_precision(probabilities, targets).mean()


@PREDICTION_METRICS.register("micro_f1", unit="%", tasks=_TASKS)
def micro_f1(probabilities: Tensor, targets: Tensor) -> Tensor:
    """The F1 of all labels of all rows together; 0 if there is none."""
    counts = class_counts(probabilities, targets)
    return 200 * counts.hits.sum() / (counts.predicted.sum() + counts.rows.sum()).clamp(min=1)


@PREDICTION_METRICS.register("hamming_loss", unit="%", better="lower", tasks=_TASKS)
def hamming_loss(probabilities: Tensor, targets: Tensor) -> Tensor:
    """How many of all answers, yes or no for each class of each row, are wrong."""
    return 100 * ((probabilities > 0.5) != (targets > 0.5)).double().mean()
