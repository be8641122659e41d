"""CL-ILR (Song & Chai 2018): branches follow the others' mean logits; the trunk sees the mean of their gradients."""

from __future__ import annotations

from torch import nn

from tests.equivalence.methods.branches import features_of, logits_of, trunk_of
from tests.equivalence.methods.formulas import Batches, Imitated, Losses, cross_entropy, divergence, total
from tests.equivalence.methods.networks import Network

STUDENTS = {"image": 3, "text": 5}


class CLILR:
    def __init__(self, network: Network, epochs: int) -> None:
        self.layers = network.grow(STUDENTS[network.task], shared=network.trunk)
        self.trunk = network.trunk
        self.aggregator: list[nn.Parameter] = []

    def losses(self, batches: Batches, epoch: int, imitated: Imitated) -> Losses:
        ((inputs, labels),) = batches
        shared = trunk_of(self.layers, self.trunk, inputs)
        shared.register_hook(lambda gradient: gradient / len(self.layers[-1]))
        logits = logits_of(self.layers, features_of(self.layers, self.trunk, shared))
        ce = [cross_entropy(own, labels) for own in logits]
        kl = []
        for k, own in enumerate(logits):
            others = logits[:k] + logits[k + 1 :]
            kl.append(4 * divergence((total(others) / len(others)).detach(), own, 2))
        return ce, kl, 0.5 * total(ce) + 0.5 * total(kl)
