"""ONE (Lan et al. 2018): a gate on the trunk mixes all branches into a teacher, which learns labels as well."""

from __future__ import annotations

from torch import nn

from tests.equivalence.methods.branches import features_of, logits_of, trunk_of
from tests.equivalence.methods.formulas import Batches, Imitated, Losses, cross_entropy, divergence, ramp, total
from tests.equivalence.methods.networks import Network

STUDENTS = {"image": 3, "text": 5}


class ONE:
    detached = True

    def __init__(self, network: Network, epochs: int) -> None:
        students = STUDENTS[network.task]
        self.layers = network.grow(students, shared=network.trunk)
        self.trunk, self.pooled = network.trunk, network.pooled
        self.linear = nn.Linear(network.trunk_width, students).double()
        self.norm = nn.BatchNorm1d(students).double()
        self.aggregator = [*self.linear.parameters(), *self.norm.parameters()]
        self.ramp = 80 / 300 * epochs

    def losses(self, batches: Batches, epoch: int, imitated: Imitated) -> Losses:
        ((inputs, labels),) = batches
        shared = trunk_of(self.layers, self.trunk, inputs)
        logits = logits_of(self.layers, features_of(self.layers, self.trunk, shared))
        gate = self.norm(self.linear(self.pooled(shared))).clamp(min=0).softmax(1)
        teacher = total(gate[:, k : k + 1] * own for k, own in enumerate(logits))
        ce = [cross_entropy(own, labels) for own in logits]
        target = teacher.detach() if self.detached else teacher
        kl = [9 * divergence(target, own, 3) for own in logits]
        return ce, kl, total(ce) + cross_entropy(teacher, labels) + ramp(epoch, self.ramp) * total(kl)
