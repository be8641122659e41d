"""How much each imitated student counts in the teacher, decided after the forward pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from cgl_ignite.imitation.evidence import Evidence, View
from cgl_ignite.registry import Registry

__all__ = ["WEIGHINGS", "Mean", "imitation_weights"]

WEIGHINGS: Registry[Callable[..., nn.Module]] = Registry("weighing")
"""Builders given the number of students, the expected size H of a sub-group and a :class:`View` of the backbone.

They make a module that turns :class:`Evidence` into the weights of U output nodes for S learners: (S, U), or (S, U, B)
where they differ from sample to sample. ``learned`` is a fact of a kind whose module has parameters.
"""


@WEIGHINGS.register("mean", learned=False)
class Mean(nn.Module):
    r"""All imitated students count alike (Eq. 5).

    .. math:: w_{kj} = \mathrm{Select}_{kj} / H

    Args:
        divisor: ``drawn`` divides by the number really drawn, so that weights sum to 1; ``expected`` by the expected
            H, as Eq. 5 is printed.
    """

    def __init__(
        self, students: int, expected: float, view: View, *, divisor: Literal["drawn", "expected"] = "drawn"
    ) -> None:
        super().__init__()
        self.divisor: Literal["drawn", "expected"] = divisor
        self.expected = expected

    def forward(self, evidence: Evidence) -> Tensor:
        """Weigh output nodes, (S, U) float64."""
        return evidence.spread(imitation_weights(evidence.imitated, self.divisor, self.expected))


def imitation_weights(imitated: Tensor, divisor: Literal["drawn", "expected"], expected: float) -> Tensor:
    r"""Turn choices into weights of a mean.

    Args:
        imitated: (S, K) bool, ``[s, j]`` = s imitates j.
        divisor: ``drawn`` or ``expected``, see :class:`Mean`.
        expected: the expected number H.

    Shape: result (S, K) float64. A student that imitates nobody has a row of zeros: no teacher, no KL term.

    Example:
        >>> imitation_weights(torch.tensor([[0, 1, 1], [1, 0, 0], [0, 0, 0]]).bool(), "drawn", 1.0).tolist()
        [[0.0, 0.5, 0.5], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    counts = imitated.sum(dim=1, keepdim=True).clamp(min=1)
    number = counts if divisor == "drawn" else torch.full_like(counts, expected or 1.0, dtype=torch.float64)
    return imitated.double() / number
