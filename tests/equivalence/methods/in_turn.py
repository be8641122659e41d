"""Students that learn one after another, each against the others as they are by then, with an Adam for each network."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from tests.equivalence.methods.cgl import CGL, STUDENTS
from tests.equivalence.methods.dml import DML
from tests.equivalence.methods.formulas import Batches, Imitated, cross_entropy, divergence, ramp, total
from tests.equivalence.methods.networks import run


class SequentialDML(DML):
    """As the authors' program runs it: peers are asked anew before each update; here their divergences are averaged."""

    def networks(self) -> list[tuple[nn.Module, ...]]:
        return list(zip(*self.layers, strict=True))

    def turns(self, batches: Batches, epoch: int, imitated: Imitated) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        ((inputs, labels),) = batches
        for k, network in enumerate(self.networks()):
            with torch.no_grad():
                peers = [run(other, inputs) for l, other in enumerate(self.networks()) if l != k]  # noqa: E741
            own = run(network, inputs)
            ce = cross_entropy(own, labels)
            kl = total(divergence(peer, own, 1) for peer in peers) / len(peers)
            yield ce, kl, ce + kl


class SummedDML(SequentialDML):
    """The divergences are summed over the peers."""

    def turns(self, batches: Batches, epoch: int, imitated: Imitated) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        for ce, kl, _ in super().turns(batches, epoch, imitated):
            yield ce, kl, ce + (len(self.layers[0]) - 1) * kl


class SequentialCGL(CGL):
    """A student and its sub-group in each step."""

    def turns(self, batches: Batches, epoch: int, imitated: Imitated) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
        for k, (inputs, labels) in enumerate(batches):
            nothing = inputs.new_zeros((), dtype=torch.float64)
            if not len(labels):
                yield nothing, nothing, None
                continue
            own = self.logits(k, inputs)
            members = [j for j in range(STUDENTS) if imitated[k][j]]
            ce = cross_entropy(own, labels)
            kl = 9 * divergence(self.teacher(k, inputs, members), own, 3) if members else nothing
            yield ce, kl, ce + ramp(epoch, self.ramp) * kl
