"""Deep mutual learning (Zhang et al. 2018): separate networks, each follows every other one's constant prediction."""

from __future__ import annotations

from torch import nn

from tests.equivalence.methods.formulas import Batches, Imitated, Losses, cross_entropy, divergence, total
from tests.equivalence.methods.networks import Network, run

STUDENTS = {"image": 3, "text": 5}


class DML:
    def __init__(self, network: Network, epochs: int) -> None:
        self.layers = network.grow(STUDENTS[network.task], shared=0)
        self.aggregator: list[nn.Parameter] = []

    def losses(self, batches: Batches, epoch: int, imitated: Imitated) -> Losses:
        ((inputs, labels),) = batches
        logits = [run(student, inputs) for student in zip(*self.layers, strict=True)]
        ce = [cross_entropy(own, labels) for own in logits]
        kl = []
        for k, own in enumerate(logits):
            pairs = [divergence(other.detach(), own, 1) for l, other in enumerate(logits) if l != k]  # noqa: E741
            kl.append(total(pairs) / (len(logits) - 1))
        return ce, kl, total(ce) + total(kl)
