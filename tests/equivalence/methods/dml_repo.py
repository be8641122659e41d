"""DML as the OKDDip repository computes it: one divergence from the others' mean logits, nothing detached, T = 3."""

from __future__ import annotations

from tests.equivalence.methods.formulas import cross_entropy, divergence
from tests.equivalence.methods.networks import run

STUDENTS = {"image": 3, "text": 5}


class RepositoryDML:
    def __init__(self, network, epochs):
        self.layers = network.grow(STUDENTS[network.task], shared=0)
        self.aggregator = []

    def losses(self, batches, epoch, imitated):
        ((inputs, labels),) = batches
        logits = [run(student, inputs) for student in zip(*self.layers, strict=True)]
        ce = [cross_entropy(own, labels) for own in logits]
        total = sum(logits)
        kl = [9 * divergence((total - own) / (len(logits) - 1), own, 3) for own in logits]
        return ce, kl, sum(ce) + sum(kl)
