"""How much the students differ (the paper's Table 6)."""

from __future__ import annotations

import torch
from torch import Tensor

from cgl_ignite.metrics.base import METRICS

__all__ = ["mean_diversity", "mean_of_pairs", "pairwise_diversity"]


@METRICS.register("diversity")
def pairwise_diversity(logits: Tensor, targets: Tensor) -> Tensor:
    r"""Distance of every pair of predictions for each sample, at temperature 1.

    .. math:: d_{ij}(x) = \lVert \sigma(z_i(x)) - \sigma(z_j(x)) \rVert_2 \in [0, \sqrt 2]

    Shape: logits (K, B, C); result (B, K, K).
    """
    probabilities = logits.softmax(dim=-1).transpose(0, 1)
    return torch.cdist(probabilities, probabilities, compute_mode="donot_use_mm_for_euclid_dist")


def mean_diversity(pairwise: Tensor) -> float | None:
    """Average a (K, K) matrix over unordered pairs; a single student has no diversity.

    Example:
        >>> mean_diversity(torch.tensor([[0.0, 0.25], [0.25, 0.0]]))
        0.25
        >>> mean_diversity(torch.zeros(1, 1)) is None
        True
    """
    return mean_of_pairs(pairwise) if len(pairwise) > 1 else None


def mean_of_pairs(table: Tensor) -> float:
    """Average a symmetric (K, K) matrix over unordered pairs of different students; NaN if there is one alone.

    Example:
        >>> mean_of_pairs(torch.tensor([[1.0, 0.25], [0.25, 1.0]]))
        0.25
    """
    return table[tuple(torch.triu_indices(len(table), len(table), offset=1))].double().mean().item()
