"""CL-ILR as the OKDDip repository computes it: equal weights, T = 3, a ramp-up, nothing detached."""

from __future__ import annotations

from tests.equivalence.methods.branches import features_of, logits_of, trunk_of
from tests.equivalence.methods.formulas import cross_entropy, divergence, ramp

STUDENTS = {"image": 3, "text": 5}


class RepositoryCLILR:
    def __init__(self, network, epochs):
        self.layers = network.grow(STUDENTS[network.task], shared=network.trunk)
        self.trunk = network.trunk
        self.aggregator = []
        self.ramp = 80 / 300 * epochs

    def losses(self, batches, epoch, imitated):
        ((inputs, labels),) = batches
        shared = trunk_of(self.layers, self.trunk, inputs)
        shared.register_hook(lambda gradient: gradient / len(self.layers[-1]))
        logits = logits_of(self.layers, features_of(self.layers, self.trunk, shared))
        ce = [cross_entropy(own, labels) for own in logits]
        total = sum(logits)
        kl = [9 * divergence((total - own) / (len(logits) - 1), own, 3) for own in logits]
        return ce, kl, sum(ce) + ramp(epoch, self.ramp) * sum(kl)
