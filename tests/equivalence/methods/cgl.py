"""CGL: eight paths through two modules a layer (and one embedding); each follows a sub-group on its own batch."""

from __future__ import annotations

from tests.equivalence.methods.formulas import cross_entropy, divergence, ramp
from tests.equivalence.methods.networks import run

STUDENTS, MODULES = 8, 2
SHARED = {"image": 0, "text": 1}


class CGL:
    def __init__(self, network, epochs, shared=None):
        self.layers = network.grow(MODULES, shared=SHARED[network.task] if shared is None else shared)
        self.pooled = network.pooled
        self.aggregator = []
        self.paths = []
        self.ramp = 0.2 * epochs

    def features(self, student, inputs):
        """Return what the student's classifier reads."""
        rows = zip(self.layers[:-1], self.paths[student], strict=True)
        return run([row[module] for row, module in rows], inputs)

    def logits(self, student, inputs):
        return self.layers[-1][self.paths[student][-1]](self.features(student, inputs))

    def teacher(self, student, inputs, members):
        return sum(self.logits(member, inputs) for member in members) / len(members)

    def losses(self, batches, epoch, imitated):
        ce, kl = [], []
        for k, (inputs, labels) in enumerate(batches):
            members = [j for j in range(STUDENTS) if imitated[k][j]]
            assert k not in members
            nothing = inputs.new_zeros((), dtype=float)
            own = self.logits(k, inputs) if len(labels) else nothing
            ce.append(cross_entropy(own, labels) if len(labels) else nothing)
            taught = len(labels) and members
            kl.append(9 * divergence(self.teacher(k, inputs, members), own, 3) if taught else nothing)
        return ce, kl, sum(ce) + ramp(epoch, self.ramp) * sum(kl)
