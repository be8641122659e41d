"""DML as the OKDDip repository computes it: one divergence from the others' mean logits, nothing detached, T = 3."""

from __future__ import annotations

from torch import nn

from tests.equivalence.methods.formulas import Batches, Imitated, Losses, cross_entropy, divergence, total
from tests.equivalence.methods.networks import Network, run

STUDENTS = {"image": 3, "text": 5}


class RepositoryDML:
    def __init__(self, network: Network, epochs: int) -> None:
        self.layers = network.grow(STUDENTS[network.task], shared=0)
        self.aggregator: list[nn.Parameter] = []

    def losses(self, batches: Batches, epoch: int, imitated: Imitated) -> Losses:
        ((inputs, labels),) = batches
        logits = [run(student, inputs) for student in zip(*self.layers, strict=True)]
        ce = [cross_entropy(own, labels) for own in logits]
        mixed = total(logits)
        kl = [9 * divergence((mixed - own) / (len(logits) - 1), own, 3) for own in logits]
        return ce, kl, total(ce) + total(kl)
