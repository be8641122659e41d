"""CGL: eight paths through two modules a layer (and one embedding); each follows a sub-group on its own batch."""

from __future__ import annotations

from tests.equivalence.methods.formulas import cross_entropy, divergence, ramp
from tests.equivalence.methods.networks import run

STUDENTS, MODULES = 8, 2
SHARED = {"image": 0, "text": 1}


class CGL:
    def __init__(self, network, epochs):
        self.layers = network.grow(MODULES, shared=SHARED[network.task])
        self.weigher = []
        self.paths = []
        self.ramp = 0.2 * epochs

    def student(self, k, inputs):
        path = [*self.paths[k], self.paths[k][-1]]
        return run([row[module] for row, module in zip(self.layers, path, strict=True)], inputs)

    def losses(self, batches, epoch, imitated):
        ce, kl = [], []
        for k, (inputs, labels) in enumerate(batches):
            own = self.student(k, inputs)
            members = [self.student(j, inputs) for j in range(STUDENTS) if imitated[k][j]]
            ce.append(cross_entropy(own, labels))
            kl.append(9 * divergence(sum(members) / len(members), own, 3) if members else 0 * ce[-1])
        return ce, kl, sum(ce) + ramp(epoch, self.ramp) * sum(kl)
