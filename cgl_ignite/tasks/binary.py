r"""The objective of rows with several labels: every class is a question of its own, answered yes or no.

With the logit z of a class, :math:`\sigma(z)` is the probability that the row has it. The logits (z, 0) of a problem
with two classes, yes and no, have the same probabilities, so the formulas of :mod:`cgl_ignite.objective` hold for each
class by itself; a sample has their mean over the classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from cgl_ignite.objective import MIXES

__all__ = ["BINARY_MIXES", "binary_cross_entropy", "binary_divergence", "logits_of_mean"]

Mix = Callable[[Tensor, Tensor, Tensor, float, bool], Tensor]


def binary_cross_entropy(
    logits: Tensor, targets: Tensor, smoothing: float = 0.0, class_weights: Tensor | None = None
) -> Tensor:
    r"""Cross-entropy of each sample with its labels, as the mean over the classes, never tempered.

    .. math::
        L_{ce}^k(x) = -\frac{1}{C} \sum_c q_c \log \sigma(z_k^c) + (1 - q_c) \log (1 - \sigma(z_k^c)), \qquad
        q_c = (1 - \varepsilon) \, y_c + \varepsilon / 2

    with ε = ``smoothing`` and y 1 for each label of the row and 0 for the others, or their shares where samples are
    mixed. ``class_weights`` w, by which each term counts then, are left out as a rule.

    Shape: logits (S, B, C); targets (S, B, C); class_weights (C,); result (S, B).

    Example:
        >>> binary_cross_entropy(torch.zeros(1, 1, 3), torch.tensor([[[1.0, 0.0, 1.0]]])).exp().round().tolist()
        [[2.0]]
    """
    wanted = (1 - smoothing) * targets.to(logits) + smoothing / 2
    weights = None if class_weights is None else class_weights.to(logits)
    return F.binary_cross_entropy_with_logits(logits, wanted, weights, reduction="none").mean(dim=-1)


def binary_divergence(mix: Mix) -> Mix:
    r"""Make a divergence of rows with several labels out of one of rows with one class.

    .. math::
        L_{kl}^k(x) = \frac{T^2}{C} \sum_c p_t^c \log \frac{p_t^c}{p_k^c}
            + (1 - p_t^c) \log \frac{1 - p_t^c}{1 - p_k^c}, \qquad p^c = \sigma(z^c / T)

    where ``mix`` makes the teacher of each class out of the logits (z, 0) of the imitated students.

    Shape: weights (S, U) or (S, U, B), logits (U, B, C), own (S, B, C); result (S, B).
    """

    def divergence(weights: Tensor, logits: Tensor, own: Tensor, temperature: float, squared: bool) -> Tensor:
        classes = own.shape[-1]
        each = weights if weights.dim() == 2 else weights.repeat_interleave(classes, dim=2)
        return mix(each, _yes_or_no(logits), _yes_or_no(own), temperature, squared).view(own.shape).mean(dim=-1)

    return divergence


BINARY_MIXES: Mapping[str, Mix] = {name: binary_divergence(mix) for name, mix in MIXES.items()}
"""What the weights of imitation mix: ``method.loss.mixes``."""


def logits_of_mean(logits: Tensor) -> Tensor:
    r"""Return the logits whose :math:`\sigma` is the mean of :math:`\sigma(z_k)` over the students.

    Shape: logits (K, ..., C); result (..., C).

    Example:
        >>> odds = torch.tensor([[0.5], [0.75]]).logit()
        >>> round(float(logits_of_mean(odds).sigmoid()), 6)
        0.625
    """
    yes, no = (F.logsigmoid(sign * logits).logsumexp(dim=0) - math.log(len(logits)) for sign in (1, -1))
    return yes - no


def _yes_or_no(logits: Tensor) -> Tensor:
    """Lay out each class as a row with two logits. Shape: (U, B, C) to (U, B C, 2)."""
    return torch.stack([logits, torch.zeros_like(logits)], dim=-1).flatten(1, 2)
