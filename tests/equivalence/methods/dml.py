"""Deep mutual learning (Zhang et al. 2018): separate networks, each follows every other one's constant prediction."""

from __future__ import annotations

from tests.equivalence.methods.formulas import cross_entropy, divergence
from tests.equivalence.methods.networks import run

STUDENTS = {"image": 3, "text": 5}


class DML:
    def __init__(self, network, epochs):
        self.layers = network.grow(STUDENTS[network.task], shared=0)
        self.aggregator = []

    def losses(self, batches, epoch, imitated):
        ((inputs, labels),) = batches
        logits = [run(student, inputs) for student in zip(*self.layers, strict=True)]
        ce = [cross_entropy(own, labels) for own in logits]
        kl = []
        for k, own in enumerate(logits):
            pairs = [divergence(other.detach(), own, 1) for l, other in enumerate(logits) if l != k]  # noqa: E741
            kl.append(sum(pairs) / (len(logits) - 1))
        return ce, kl, sum(ce) + sum(kl)
