"""CGL weighed by OKDDip's attention or ONE's gate, or following predictions; OKDDip that trains its attention alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tests.equivalence.methods.cgl import CGL, STUDENTS
from tests.equivalence.methods.formulas import total
from tests.equivalence.methods.networks import Network, run
from tests.equivalence.methods.okddip import OKDDip


class AttentiveCGL(CGL):
    def __init__(self, network: Network, epochs: int) -> None:
        super().__init__(network, epochs)
        self.query, self.key = (nn.Parameter(torch.empty(network.width // 8, network.width).double()) for _ in range(2))
        self.aggregator = [self.query, self.key]

    def teacher(self, student: int, inputs: Tensor, members: Sequence[int]) -> Tensor:
        query = self.pooled(self.features(student, inputs)) @ self.query.T
        keys = [self.pooled(self.features(member, inputs)) @ self.key.T for member in members]
        alpha = torch.stack([(query * key).sum(1) for key in keys], dim=1).softmax(1)
        return total(alpha[:, n : n + 1] * self.logits(member, inputs) for n, member in enumerate(members))


class GatedCGL(CGL):
    """The gate reads what the student's own classifier reads."""

    def __init__(self, network: Network, epochs: int, width: int | None = None, shared: int | None = None) -> None:
        super().__init__(network, epochs, shared)
        self.linear = nn.Linear(width or network.width, STUDENTS).double()
        self.norm = nn.BatchNorm1d(STUDENTS).double()
        self.aggregator = [*self.linear.parameters(), *self.norm.parameters()]

    def seen(self, student: int, inputs: Tensor) -> Tensor:
        return self.features(student, inputs)

    def teacher(self, student: int, inputs: Tensor, members: Sequence[int]) -> Tensor:
        scores = self.norm(self.linear(self.pooled(self.seen(student, inputs)))).clamp(min=0)
        gate = scores[:, members].softmax(1)
        return total(gate[:, n : n + 1] * self.logits(member, inputs) for n, member in enumerate(members))


class TrunkGatedCGL(GatedCGL):
    """The gate reads the one first layer of all students."""

    def __init__(self, network: Network, epochs: int) -> None:
        super().__init__(network, epochs, width={"image": 4, "text": network.width}[network.task], shared=1)

    def seen(self, student: int, inputs: Tensor) -> Tensor:
        return run(self.layers[0], inputs)


class PredictingCGL(CGL):
    """The members' tempered predictions are mixed: logits whose tempered prediction is their mean."""

    def teacher(self, student: int, inputs: Tensor, members: Sequence[int]) -> Tensor:
        return 3 * (total((self.logits(member, inputs) / 3).softmax(1) for member in members) / len(members)).log()


class PrintedCGL(CGL):
    """Eq. 5 with H = K p = 8 * 0.25 for images and 8 * 0.5 for texts, whoever was drawn."""

    def __init__(self, network: Network, epochs: int) -> None:
        super().__init__(network, epochs)
        self.number = {"image": 2, "text": 4}[network.task]

    def teacher(self, student: int, inputs: Tensor, members: Sequence[int]) -> Tensor:
        return total(self.logits(member, inputs) for member in members) / self.number


class CautiousOKDDip(OKDDip):
    """Logits of the peers are constants in every teacher; only the attention learns from it."""

    flows = False
