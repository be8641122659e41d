"""Metrics of the predicted probabilities, by the names that scikit-learn has for them; shares are in percent."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from cgl_ignite.metrics.base import PREDICTION_METRICS

__all__ = ["BINS", "expected_calibration_error", "log_loss", "roc_auc", "top_k_accuracy"]

BINS = 15
"""Of equal width, as in Guo et al. (2017)."""


def top_k_accuracy(probabilities: Tensor, targets: Tensor, k: int) -> Tensor:
    """How many rows have their class among the k most probable ones."""
    own = probabilities.gather(1, targets.long().unsqueeze(1))
    return 100 * ((probabilities > own).sum(1) < k).double().mean()


for _k in (2, 3, 5, 10):
    PREDICTION_METRICS.register(f"top_{_k}_accuracy", unit="%", classes=(_k + 1, None))(partial(top_k_accuracy, k=_k))


@PREDICTION_METRICS.register("log_loss", better="lower")
def log_loss(probabilities: Tensor, targets: Tensor) -> Tensor:
    """The mean negative logarithm of the probability of the right class, in nats, each at least the machine epsilon."""
    own = probabilities.gather(1, targets.long().unsqueeze(1))
    return -own.clamp(min=torch.finfo(own.dtype).eps).log().mean()


@PREDICTION_METRICS.register("expected_calibration_error", unit="%", better="lower")
def expected_calibration_error(probabilities: Tensor, targets: Tensor) -> Tensor:
    r"""How far confidence and accuracy lie apart, in 15 bins b of confidence of equal width (Guo et al. 2017).

    .. math:: \sum_b \frac{n_b}{n} \left| \mathrm{acc}_b - \mathrm{conf}_b \right|

    A confidence on the border of two bins counts in the lower one.
    """
    confidence, predicted = probabilities.max(dim=-1)
    excess = (predicted == targets).double() - confidence.double()
    bins = ((confidence.double() * BINS).ceil().long() - 1).clamp(0, BINS - 1)
    sums = torch.zeros(BINS, dtype=torch.float64, device=excess.device).index_add_(0, bins, excess)
    return 100 * sums.abs().sum() / len(targets)


@PREDICTION_METRICS.register("roc_auc", classes=(2, 2), every_class=True)
def roc_auc(probabilities: Tensor, targets: Tensor) -> Tensor:
    """The probability that a row of the second class gets more of its probability than one of the first, ties half."""
    scores, positive = probabilities[:, 1].contiguous(), targets == 1
    ordered = scores.sort().values
    lower = torch.searchsorted(ordered, scores)
    upper = torch.searchsorted(ordered, scores, right=True)
    ranks = (lower + upper + 1).double() / 2
    count = positive.sum().double()
    return ((ranks * positive).sum() - count * (count + 1) / 2) / (count * (len(targets) - count))
