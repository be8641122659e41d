"""The attention of OKDDip: each student finds out, for each sample, whom to imitate how much."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from cgl_ignite.imitation.aggregate import AGGREGATIONS
from cgl_ignite.imitation.choose import Choice
from cgl_ignite.imitation.outputs import ForwardOutputs, View

__all__ = ["Attention"]


@AGGREGATIONS.register("attention", learned=True)
class Attention(nn.Module):
    r"""Attention over the imitated students (Chen et al., AAAI 2020).

    .. math:: \alpha_{ab}(x) = \mathrm{softmax}_b \, \langle W_q h_a(x), W_k h_b(x) \rangle

    where h is what a student's classifier reads, pooled over its positions, and the maps to d / ``factor`` dimensions
    have no bias. Scores are not scaled.

    Args:
        factor: how much smaller the projections are than h.
        leader: whether the last student, the group leader, takes no part and counts all it imitates alike.
    """

    def __init__(
        self,
        students: int,
        choice: Choice,
        view: View,
        *,
        factor: Annotated[int, Field(ge=1)] = 8,
        leader: bool = False,
    ) -> None:
        super().__init__()
        self.to_vector = view.to_vector
        self.leads: Tensor
        self.register_buffer("leads", torch.arange(students) == (students - 1 if leader else -1), persistent=False)
        inner = max(1, view.features // factor)
        self.query = nn.Linear(view.features, inner, bias=False)
        self.key = nn.Linear(view.features, inner, bias=False)

    def forward(self, outputs: ForwardOutputs) -> Tensor:
        """Weigh output nodes for each sample, (S, U, B)."""
        features = outputs.everyone(self.to_vector)
        query = self.query(torch.stack([features[node] for node in outputs.own]))
        key = self.key(features)
        counts = outputs.members.sum(dim=1).unsqueeze(2).to(query)
        leads = torch.stack([self.leads[student] for student in outputs.learners]).view(-1, 1, 1)
        scores = torch.einsum("sbd,ubd->sub", query, key).masked_fill(leads, 0.0)
        lowest = torch.finfo(scores.dtype).min
        return (scores + counts.log().clamp(min=lowest / 2)).softmax(dim=1) * (counts > 0)
