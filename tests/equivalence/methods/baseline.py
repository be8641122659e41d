"""One network, labels only."""

from __future__ import annotations

from torch import nn

from tests.equivalence.methods.formulas import Batches, Imitated, Losses, cross_entropy
from tests.equivalence.methods.networks import Network, run


class Baseline:
    def __init__(self, network: Network, epochs: int) -> None:
        self.layers = network.grow(1, shared=0)
        self.aggregator: list[nn.Parameter] = []

    def losses(self, batches: Batches, epoch: int, imitated: Imitated) -> Losses:
        ((inputs, labels),) = batches
        ce = cross_entropy(run([module for (module,) in self.layers], inputs), labels)
        return [ce], [0 * ce], ce
