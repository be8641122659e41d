"""How much each imitated student counts in the teacher (the 1/H of Eq. 5)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

__all__ = ["imitation_weights"]


def imitation_weights(imitated: Tensor, divisor: Literal["drawn", "expected"], expected: float) -> Tensor:
    r"""Turn choices into weights of a mean of logits.

    .. math:: w_{kj} = \mathrm{Select}_{kj} / H

    Args:
        imitated: (K, K) bool, ``[k, j]`` = k imitates j.
        divisor: ``drawn`` divides by the number really drawn, so that rows sum to 1; ``expected`` by the expected
            H, as Eq. 5 is printed.
        expected: the expected number H.

    Shape: result (K, K) float64. A student that imitates nobody has a row of zeros: no teacher, no KL term.

    Example:
        >>> imitation_weights(torch.tensor([[0, 1, 1], [1, 0, 0], [0, 0, 0]]).bool(), "drawn", 1.0).tolist()
        [[0.0, 0.5, 0.5], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    counts = imitated.sum(dim=1, keepdim=True).clamp(min=1)
    number = counts if divisor == "drawn" else torch.full_like(counts, expected or 1.0, dtype=torch.float64)
    return imitated.double() / number
