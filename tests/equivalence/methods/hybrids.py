"""CGL weighed by OKDDip's attention or ONE's gate, or following predictions; OKDDip that trains its attention alone."""

from __future__ import annotations

import torch
from torch import nn

from tests.equivalence.methods.cgl import CGL, STUDENTS
from tests.equivalence.methods.okddip import OKDDip


class AttentiveCGL(CGL):
    def __init__(self, network, epochs):
        super().__init__(network, epochs)
        self.query, self.key = (nn.Parameter(torch.empty(network.width // 8, network.width).double()) for _ in range(2))
        self.aggregator = [self.query, self.key]

    def teacher(self, student, inputs, members):
        query = self.pooled(self.features(student, inputs)) @ self.query.T
        keys = [self.pooled(self.features(member, inputs)) @ self.key.T for member in members]
        alpha = torch.stack([(query * key).sum(1) for key in keys], dim=1).softmax(1)
        return sum(alpha[:, n : n + 1] * self.logits(member, inputs) for n, member in enumerate(members))


class GatedCGL(CGL):
    """The gate reads what the student's own classifier reads."""

    def __init__(self, network, epochs, width=None, shared=None):
        super().__init__(network, epochs, shared)
        self.linear = nn.Linear(width or network.width, STUDENTS).double()
        self.norm = nn.BatchNorm1d(STUDENTS).double()
        self.aggregator = [*self.linear.parameters(), *self.norm.parameters()]

    def seen(self, student, inputs):
        return self.features(student, inputs)

    def teacher(self, student, inputs, members):
        scores = self.norm(self.linear(self.pooled(self.seen(student, inputs)))).clamp(min=0)
        gate = scores[:, members].softmax(1)
        return sum(gate[:, n : n + 1] * self.logits(member, inputs) for n, member in enumerate(members))


class TrunkGatedCGL(GatedCGL):
    """The gate reads the one first layer of all students."""

    def __init__(self, network, epochs):
        super().__init__(network, epochs, width={"image": 4, "text": network.width}[network.task], shared=1)

    def seen(self, student, inputs):
        return self.layers[0][0](inputs)


class PredictingCGL(CGL):
    """The members' tempered predictions are mixed: logits whose tempered prediction is their mean."""

    def teacher(self, student, inputs, members):
        return 3 * (sum((self.logits(member, inputs) / 3).softmax(1) for member in members) / len(members)).log()


class PrintedCGL(CGL):
    """Eq. 5 with H = K p = 8 * 0.25 for images and 8 * 0.5 for texts, whoever was drawn."""

    def __init__(self, network, epochs):
        super().__init__(network, epochs)
        self.number = {"image": 2, "text": 4}[network.task]

    def teacher(self, student, inputs, members):
        return sum(self.logits(member, inputs) for member in members) / self.number


class CautiousOKDDip(OKDDip):
    """Logits of the peers are constants in every teacher; only the attention learns from it."""

    flows = False
