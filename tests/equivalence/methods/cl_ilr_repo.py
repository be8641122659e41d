"""CL-ILR as the OKDDip repository computes it: equal weights, T = 3, a ramp-up, nothing detached."""

from __future__ import annotations

from torch import nn

from tests.equivalence.methods.branches import features_of, logits_of, trunk_of
from tests.equivalence.methods.formulas import Batches, Imitated, Losses, cross_entropy, divergence, ramp, total
from tests.equivalence.methods.networks import Network

STUDENTS = {"image": 3, "text": 5}


class RepositoryCLILR:
    def __init__(self, network: Network, epochs: int) -> None:
        self.layers = network.grow(STUDENTS[network.task], shared=network.trunk)
        self.trunk = network.trunk
        self.aggregator: list[nn.Parameter] = []
        self.ramp = 80 / 300 * epochs

    def losses(self, batches: Batches, epoch: int, imitated: Imitated) -> Losses:
        ((inputs, labels),) = batches
        shared = trunk_of(self.layers, self.trunk, inputs)
        shared.register_hook(lambda gradient: gradient / len(self.layers[-1]))
        logits = logits_of(self.layers, features_of(self.layers, self.trunk, shared))
        ce = [cross_entropy(own, labels) for own in logits]
        mixed = total(logits)
        kl = [9 * divergence((mixed - own) / (len(logits) - 1), own, 3) for own in logits]
        return ce, kl, total(ce) + ramp(epoch, self.ramp) * total(kl)
