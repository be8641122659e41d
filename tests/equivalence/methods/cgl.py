"""CGL: eight paths through two modules a layer (and one embedding); each follows a sub-group on its own batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tests.equivalence.methods.formulas import Batches, Imitated, Losses, cross_entropy, divergence, ramp, total
from tests.equivalence.methods.networks import Network, run

STUDENTS, MODULES = 8, 2
SHARED = {"image": 0, "text": 1}


class CGL:
    def __init__(self, network: Network, epochs: int, shared: int | None = None) -> None:
        self.layers = network.grow(MODULES, shared=SHARED[network.task] if shared is None else shared)
        self.pooled = network.pooled
        self.aggregator: list[nn.Parameter] = []
        self.paths: Sequence[Sequence[int]] = []
        self.ramp = 0.2 * epochs

    def features(self, student: int, inputs: Tensor) -> Tensor:
        """Return what the student's classifier reads."""
        rows = zip(self.layers[:-1], self.paths[student], strict=True)
        return run([row[module] for row, module in rows], inputs)

    def logits(self, student: int, inputs: Tensor) -> Tensor:
        return run([self.layers[-1][self.paths[student][-1]]], self.features(student, inputs))

    def teacher(self, student: int, inputs: Tensor, members: Sequence[int]) -> Tensor:
        return total(self.logits(member, inputs) for member in members) / len(members)

    def losses(self, batches: Batches, epoch: int, imitated: Imitated) -> Losses:
        ce, kl = [], []
        for k, (inputs, labels) in enumerate(batches):
            members = [j for j in range(STUDENTS) if imitated[k][j]]
            assert k not in members
            nothing = inputs.new_zeros((), dtype=torch.float64)
            own = self.logits(k, inputs) if len(labels) else nothing
            ce.append(cross_entropy(own, labels) if len(labels) else nothing)
            taught = len(labels) and members
            kl.append(9 * divergence(self.teacher(k, inputs, members), own, 3) if taught else nothing)
        return ce, kl, total(ce) + ramp(epoch, self.ramp) * total(kl)
