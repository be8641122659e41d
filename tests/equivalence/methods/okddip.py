"""OKDDip (Chen et al. 2020): peers follow each other by attention, the last student follows the peers' mean."""

from __future__ import annotations

import torch
from torch import nn

from tests.equivalence.methods.branches import features_of, logits_of, trunk_of
from tests.equivalence.methods.formulas import Batches, Imitated, Losses, cross_entropy, divergence, ramp, total
from tests.equivalence.methods.networks import Network

STUDENTS = {"image": 3, "text": 5}


class OKDDip:
    flows = True

    def __init__(self, network: Network, epochs: int) -> None:
        self.layers = network.grow(STUDENTS[network.task], shared=network.trunk)
        self.trunk, self.pooled = network.trunk, network.pooled
        narrow = network.width // 8
        self.query, self.key = (nn.Parameter(torch.empty(narrow, network.width).double()) for _ in range(2))
        self.aggregator = [self.query, self.key]
        self.ramp = 80 / 300 * epochs

    def losses(self, batches: Batches, epoch: int, imitated: Imitated) -> Losses:
        ((inputs, labels),) = batches
        features = features_of(self.layers, self.trunk, trunk_of(self.layers, self.trunk, inputs))
        logits = logits_of(self.layers, features)
        *peers, leader = logits
        spoken = peers if self.flows else [peer.detach() for peer in peers]
        looks = [self.pooled(values) for values in features[:-1]]
        kl = []
        for own, look in zip(peers, looks, strict=True):
            energy = torch.stack([((look @ self.query.T) * (other @ self.key.T)).sum(1) for other in looks], dim=1)
            alpha = energy.softmax(1)
            teacher = total(alpha[:, b : b + 1] * peer for b, peer in enumerate(spoken))
            kl.append(9 * divergence(teacher, own, 3))
        kl.append(9 * divergence(total(spoken) / len(spoken), leader, 3))
        ce = [cross_entropy(own, labels) for own in logits]
        return ce, kl, total(ce) + ramp(epoch, self.ramp) * total(kl)
