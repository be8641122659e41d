"""The gate of ONE: weights of the students, read off each sample."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from cgl_ignite.errors import InputError
from cgl_ignite.imitation.aggregate import AGGREGATIONS
from cgl_ignite.imitation.choose import Choice
from cgl_ignite.imitation.outputs import ForwardOutputs, View
from cgl_ignite.pool import padded

__all__ = ["Gate"]


@AGGREGATIONS.register("gate", learned=True)
class Gate(nn.Module):
    r"""A gate over what the students share (Lan, Zhu & Gong, NeurIPS 2018).

    .. math:: g(x) = \mathrm{softmax}(\mathrm{ReLU}(\mathrm{BatchNorm}(W u(x) + b)))

    where u is the mean of the trunk's last feature map over its positions, and the softmax runs over the students that
    are imitated. A score that the ReLU cuts off is 0 and keeps its share.

    Args:
        reads: ``trunk``: the last layer that all students share; ``student``: what the learner's own classifier reads,
            which is there under any routing.

    Raises:
        InputError: the trunk is to be read, and the students share no first layer.
    """

    def __init__(
        self, students: int, choice: Choice, view: View, *, reads: Literal["trunk", "student"] = "trunk"
    ) -> None:
        super().__init__()
        if reads == "trunk" and view.trunk is None:
            raise InputError(
                "the gate reads the last layer that all students share, and they share none; share a first layer"
                " (routing = { kind = 'branched' }, or shared = [0] under random routing) or set reads = 'student'"
            )
        self.scores = {"trunk": self._by_trunk, "student": self._by_student}[reads]
        self.to_vector = view.to_vector
        self.linear = nn.Linear(view.trunk if reads == "trunk" and view.trunk else view.features, students)
        self.norm = nn.BatchNorm1d(students, track_running_stats=False)

    def forward(self, outputs: ForwardOutputs) -> Tensor:
        """Weigh output nodes for each sample, (S, U, B)."""
        scores = padded(self.scores(outputs)).transpose(1, 2)
        chosen = outputs.imitated.unsqueeze(2)
        shares = scores.masked_fill(~chosen, torch.finfo(scores.dtype).min).softmax(dim=1)
        return outputs.spread(shares * chosen)

    def _by_trunk(self, outputs: ForwardOutputs) -> list[Tensor]:
        seen = {batch: self._score(outputs.output.trunk(batch)) for batch in dict.fromkeys(outputs.batches)}
        return [seen[batch] for batch in outputs.batches]

    def _by_student(self, outputs: ForwardOutputs) -> list[Tensor]:
        return [self._score(outputs.output.features(node)) for node in outputs.own]

    def _score(self, values: Tensor) -> Tensor:
        scores: Tensor = self.norm(self.linear(self.to_vector(values))).relu()
        return scores
