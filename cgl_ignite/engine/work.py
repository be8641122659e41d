"""What an iteration runs: decided on the host before anything is sent to the device."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import Tensor

from cgl_ignite.imitation import imitation_units
from cgl_ignite.pool import Plan, plan_forward
from cgl_ignite.pool.plan import RouteTable, Unit

__all__ = ["Tables", "Work", "lay_out"]


class Tables(NamedTuple):
    """Numbers of a chunk that the device reads: they change from iteration to iteration.

    Attributes:
        imitated: (S, K) bool, ``[s, j]`` = learner s imitates student j.
        members: (S, K, U) float32, which output node is which imitated student, 0 or 1.
        sources: (batches of the plan,) int64, the data group that each holds.
    """

    imitated: Tensor
    members: Tensor
    sources: Tensor


@dataclass(frozen=True)
class Work:
    """What a chunk of an iteration runs. Two of them are equal if the same kernels run, whatever is in the tables.

    Attributes:
        plan: of the forward pass.
        learners: the S students that learn.
        batches: for each learner, the batch of the plan that it reads.
        sizes: rows of each batch of the plan.
        taught: whether anybody imitates.
        apart: whether every unit has a batch of its own, gathered by ``tables.sources``.
        groups: the data group of each batch of the plan.
    """

    plan: Plan
    learners: tuple[int, ...]
    batches: tuple[int, ...]
    sizes: tuple[int, ...]
    taught: bool
    apart: bool
    groups: tuple[int, ...] = field(compare=False)
    tables: Tables = field(compare=False)

    def inputs(self, rows: Sequence[Tensor], sources: Tensor) -> list[Tensor]:
        """Return what each batch of the plan holds, given the rows of all groups and the device's ``sources``."""
        if self.apart:
            return list(torch.stack(list(rows)).index_select(0, sources).unbind())
        return [rows[group] for group in self.groups]


def lay_out(
    routes: RouteTable,
    reads: Sequence[int],
    groups: Sequence[int],
    sizes: Sequence[int],
    imitated: Tensor,
    *,
    gradient: bool,
    apart: bool = False,
    turn: Collection[int] | None = None,
) -> Work:
    """Decide what a chunk runs.

    Args:
        routes: of the students.
        reads: for each student, the data group it learns from.
        groups: the groups of the chunk.
        sizes: rows of every group.
        imitated: (K, K) choices, on the CPU.
        gradient: whether imitated logits take part in the backward pass.
        apart: whether each unit runs by itself, where groups have equally many rows. Nothing that students share is
            then computed once, and the work of two iterations is equal as soon as everybody is imitated equally often.
        turn: the students that learn now; by default all.
    """
    turn = range(len(reads)) if turn is None else turn
    units = imitation_units(groups, reads, imitated.tolist(), gradient=gradient, turn=turn)
    position = {group: number for number, group in enumerate(groups)}
    learners = tuple(k for group in groups for k, read in enumerate(reads) if read == group and k in turn)
    sources, held = list(range(len(groups))), {(unit.student, unit.batch): unit.batch for unit in units}
    apart = apart and len(set(sizes)) == 1
    if apart:
        units, sources, held = _apart(units)
    plan = plan_forward(routes, units, training=True)
    chosen = imitated[list(learners)]
    places = [(s, j, held[j, position[reads[learners[s]]]]) for s, j in chosen.nonzero().tolist()]
    members = torch.zeros(len(learners), len(reads), plan.nodes)
    if places:
        members[tuple(torch.tensor([(s, j, plan.outputs[j, batch]) for s, j, batch in places]).T)] = 1.0
    return Work(
        plan=plan,
        learners=learners,
        batches=tuple(held[k, position[reads[k]]] for k in learners),
        sizes=tuple(sizes[groups[source]] for source in sources),
        taught=bool(places),
        apart=apart,
        groups=tuple(groups[source] for source in sources),
        tables=Tables(chosen, members, torch.tensor([groups[source] for source in sources])),
    )


def _apart(units: Sequence[Unit]) -> tuple[list[Unit], list[int], dict[tuple[int, int], int]]:
    """Give every unit a batch of its own; those of a student follow each other, its own first.

    Returns the units, the batch that each has read before, and where (student, batch before) is now.
    """
    ordered = sorted(units, key=lambda unit: (unit.student, not unit.own))
    place = {(unit.student, unit.batch): number for number, unit in enumerate(ordered)}
    moved = [replace(unit, batch=number) for number, unit in enumerate(ordered)]
    return moved, [unit.batch for unit in ordered], place
