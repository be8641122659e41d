"""Running statistics that a training is too short for: most of what they hold when it ends is where they began."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from cgl_ignite.pool.cost import LayerCost
from cgl_ignite.pool.plan import RouteTable, Unit, plan_forward

__all__ = ["SETTLED", "Unsettled", "unsettled"]

SETTLED = 0.05
"""The largest share of the start that running statistics may hold: a variance that is 1 at the start, and small in the
data, is otherwise several times too large, in every layer."""
USUAL = 0.1
"""PyTorch's own momentum."""


@dataclass(frozen=True)
class Unsettled:
    """Batch normalisation whose running statistics are still near their start when a training ends.

    Attributes:
        layer: its number.
        norm: the name of the module in that layer.
        momentum: the share by which statistics move towards those of a batch.
        updates: how often they move.
    """

    layer: int
    norm: str
    momentum: float
    updates: int

    @property
    def share(self) -> float:
        """How much of the start is left: (1 - momentum) to the power of the updates."""
        return float((1 - self.momentum) ** self.updates)

    @property
    def remedy(self) -> float:
        """A momentum that suffices, in hundredths, and at least the usual one."""
        return max(USUAL, ceil(100 * (1 - float(SETTLED ** (1 / self.updates)))) / 100)

    def __str__(self) -> str:
        where = f"{self.norm!r} of layer {self.layer}" if self.norm else f"layer {self.layer}"
        return (
            f"batch normalisation in {where} has momentum {self.momentum:g}: after the {self.updates:,} updates of this"
            f" training, {self.share:.0%} of its running statistics are still those of the start, so holdout and test"
            f" may be judged at chance; set backbone.momentum = {self.remedy:g}, or train longer"
        )


def unsettled(
    costs: Sequence[LayerCost], routes: RouteTable, group_of: Sequence[int], iterations: int
) -> Unsettled | None:
    """Return the batch normalisation of which most is left of the start, or None if too little is left to matter.

    Only a momentum below PyTorch's own counts: that is settled after 29 updates, before students have learned much.

    Args:
        costs: of one module of each layer.
        routes: the paths of the students, with their rows of running statistics.
        group_of: for each student, the data group that it learns from.
        iterations: of the training.
    """
    units = [Unit(student, group, own=True, gradient=True) for student, group in enumerate(group_of)]
    plan = plan_forward(routes, units, training=True)
    found = []
    for number, (cost, calls) in enumerate(zip(costs, plan.layers, strict=True)):
        if cost.slowest is not None and cost.slowest[1] < USUAL:
            moves = Counter((call.module, slot) for call in calls for slot in call.slots)
            found.append(Unsettled(number, *cost.slowest, updates=iterations * min(moves.values())))
    worst = max(found, key=lambda each: each.share, default=None)
    return worst if worst is not None and worst.share > SETTLED else None
