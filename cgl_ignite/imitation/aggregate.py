"""How much each imitated student counts in the teacher, decided after the forward pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn

from cgl_ignite.imitation.choose import Choice
from cgl_ignite.imitation.outputs import ForwardOutputs, View
from cgl_ignite.registry import Registry

__all__ = ["AGGREGATIONS", "Mean", "imitation_weights"]

AGGREGATIONS: Registry[Callable[..., nn.Module]] = Registry("aggregation")
"""Builders given the number of students, the :class:`Choice` of sub-groups and a :class:`View` of the backbone.

They make a module that turns :class:`ForwardOutputs` into the weights of U output nodes for S learners: (S, U), or
(S, U, B) where they differ from sample to sample. ``learned`` is a fact of a kind whose module has parameters.
"""


@AGGREGATIONS.register("mean", learned=False)
class Mean(nn.Module):
    r"""All imitated students count alike (Eq. 5).

    .. math:: w_{kj} = \mathrm{Select}_{kj} / H

    Args:
        divisor: H. ``drawn``: the number really drawn, so that weights sum to 1; ``expected``: its mean, p (K - 1) for
            a probability p; ``printed``: as Eq. 5 and the appendix are printed, K p for a probability p.
    """

    def __init__(
        self,
        students: int,
        choice: Choice,
        view: View,
        *,
        divisor: Literal["drawn", "expected", "printed"] = "drawn",
    ) -> None:
        super().__init__()
        self.divisor = {"drawn": None, "expected": choice.expected, "printed": choice.printed}[divisor]

    def forward(self, outputs: ForwardOutputs) -> Tensor:
        """Weigh output nodes, (S, U) float64."""
        return outputs.spread(imitation_weights(outputs.imitated, self.divisor))


def imitation_weights(imitated: Tensor, divisor: float | None = None) -> Tensor:
    r"""Turn choices into weights of a mean.

    Args:
        imitated: (S, K) bool, ``[s, j]`` = s imitates j.
        divisor: H; None for the number that each student imitates.

    Shape: result (S, K) float64. A student that imitates nobody has a row of zeros: no teacher, no KL term.

    Example:
        >>> import torch
        >>> imitation_weights(torch.tensor([[0, 1, 1], [1, 0, 0], [0, 0, 0]]).bool()).tolist()
        [[0.0, 0.5, 0.5], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    if divisor is None:
        return imitated.double() / imitated.sum(dim=1, keepdim=True).clamp(min=1)
    return imitated.double() / (divisor or 1.0)
