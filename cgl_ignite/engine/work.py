"""What an iteration runs: decided on the host before anything is sent to the device."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import Tensor

from cgl_ignite.data import Batch
from cgl_ignite.imitation import imitation_units
from cgl_ignite.pool import Plan, plan_forward
from cgl_ignite.pool.plan import RouteTable, Unit

__all__ = ["OnDevice", "Tables", "Turn", "Work", "lay_out"]


class Tables(NamedTuple):
    """Numbers of a chunk that the device reads: they change from iteration to iteration.

    Attributes:
        imitated: (S, K) bool, ``[s, j]`` = learner s imitates student j.
        members: (S, K, U) float32, which output node is which imitated student, 0 or 1; those of ``Work.others`` follow
            those of the plan.
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
        imitates: whether anybody imitates.
        separate: whether every unit has a batch of its own, gathered by ``tables.sources``.
        others: imitated students that learn from the same batch in another pass, which has their logits.
        groups: the data group of each batch of the plan.
    """

    plan: Plan
    learners: tuple[int, ...]
    batches: tuple[int, ...]
    sizes: tuple[int, ...]
    imitates: bool
    separate: bool
    others: tuple[int, ...]
    groups: tuple[int, ...] = field(compare=False)
    tables: Tables = field(compare=False)

    def inputs(self, rows: Sequence[Tensor], sources: Tensor) -> list[Tensor]:
        """Return what each batch of the plan holds, given the rows of all groups and the device's ``sources``."""
        if self.separate:
            return list(torch.stack(list(rows)).index_select(0, sources).unbind())
        return [rows[group] for group in self.groups]


class OnDevice(NamedTuple):
    """What a turn reads on the device.

    Attributes:
        rows: inputs of each data group.
        labels: of these rows.
        ramp: the weight of imitation, a scalar.
        tables: of each chunk.
        weights: of these rows in the loss with their labels; None if all count alike.
    """

    rows: Sequence[Tensor]
    labels: Sequence[Tensor]
    ramp: Tensor
    tables: Sequence[Tables]
    weights: Sequence[Tensor] | None = None


@dataclass(frozen=True)
class Turn:
    """The chunks of those students that learn together, before anything is sent to the device.

    Attributes:
        students: that learn.
        works: what each chunk runs.
        sizes: rows of every data group.
        sent: students of all processes whose logits another process needs.
    """

    students: tuple[int, ...]
    works: tuple[Work, ...]
    sizes: tuple[int, ...]
    sent: tuple[int, ...] = ()

    @property
    def exchanges(self) -> bool:
        """Whether a pass needs logits of another one, so that all of them run before any loss is computed."""
        return bool(self.sent) or any(work.others for work in self.works)

    def key(self, batch: Batch) -> Hashable:
        """Name the kernels that run: equal for turns that can be replayed for each other, None if it never can be."""
        return (self.works, batch.inputs.shape) if len(set(self.sizes)) == 1 else None

    def tensors(self, batch: Batch, ramp: float) -> tuple[Tensor, ...]:
        """List what changes between turns of an equal key: everything that is sent to the device."""
        weight = torch.tensor(ramp, dtype=torch.float64)
        of_rows = () if batch.weights is None else (batch.weights,)
        tables = [table for work in self.works for table in work.tables]
        return (batch.inputs, batch.targets, weight, *of_rows, *tables)

    def on_device(self, tensors: Sequence[Tensor]) -> OnDevice:
        """Read what :meth:`tensors` has listed."""
        inputs, targets, ramp, *rest = tensors
        width = len(Tables._fields)
        first = len(rest) - width * len(self.works)
        tables = [Tables(*rest[start : start + width]) for start in range(first, len(rest), width)]
        weights = rest[0].split(self.sizes) if first else None
        return OnDevice(inputs.split(self.sizes), targets.split(self.sizes), ramp, tables, weights)


def lay_out(
    routes: RouteTable,
    group_of: Sequence[int],
    learners: Collection[int],
    sizes: Sequence[int],
    imitated: Tensor,
    *,
    gradient: bool,
    separate: bool = False,
    turn: Collection[int] = (),
) -> Work:
    """Decide what a chunk runs.

    Args:
        routes: of the students.
        group_of: for each student, the data group it learns from.
        learners: the students that learn in the chunk.
        sizes: rows of every group.
        imitated: (K, K) choices, on the CPU.
        gradient: whether imitated logits take part in the backward pass.
        separate: whether each unit runs by itself, where groups have equally many rows. Nothing that students share is
            then computed once, and the work of two iterations is equal as soon as everybody is imitated equally often.
        turn: the students that learn now, in this chunk or in another; by default those of the chunk.
    """
    learners = tuple(sorted(learners, key=lambda k: (group_of[k], k)))
    groups = sorted({group_of[k] for k in learners})
    position = {group: number for number, group in enumerate(groups)}
    elsewhere = {k for k in turn if group_of[k] in position}.difference(learners)
    routes = routes.apart if elsewhere else routes
    choices, own = imitated.tolist(), set(learners)
    units = imitation_units(groups, group_of, choices, gradient=gradient, turn=own, elsewhere=elsewhere)
    sources, held = list(range(len(groups))), {(unit.student, unit.batch): unit.batch for unit in units}
    separate = separate and len(set(sizes)) == 1
    if separate:
        units, sources, held = _separate(units)
    plan = plan_forward(routes, units, training=True)
    chosen = imitated[list(learners)]
    pairs = [(s, j, position[group_of[learners[s]]]) for s, j in chosen.nonzero().tolist()]
    members, others = _members(plan, pairs, held, chosen.shape)
    return Work(
        plan=plan,
        learners=learners,
        batches=tuple(held[k, position[group_of[k]]] for k in learners),
        sizes=tuple(sizes[groups[source]] for source in sources),
        imitates=bool(pairs),
        separate=separate,
        others=others,
        groups=tuple(groups[source] for source in sources),
        tables=Tables(chosen, members, torch.tensor([groups[source] for source in sources])),
    )


def _members(
    plan: Plan, pairs: Sequence[tuple[int, int, int]], held: Mapping[tuple[int, int], int], shape: Sequence[int]
) -> tuple[Tensor, tuple[int, ...]]:
    """Mark which output node is which imitated student, (S, K, U), and list those that another pass runs.

    Args:
        plan: of the forward pass.
        pairs: of a learner, its place among S, and a student that it imitates, of K, with the batch that it reads.
        held: where the plan has a student on a batch.
        shape: S and K.
    """
    others = sorted({student for _, student, batch in pairs if (student, batch) not in held})
    nodes = {(student, batch): plan.outputs[student, now] for (student, batch), now in held.items()}
    added = {student: node for node, student in enumerate(others, plan.nodes)}
    members = torch.zeros(*shape, plan.nodes + len(others))
    places = [(place, student, nodes.get((student, batch), added.get(student))) for place, student, batch in pairs]
    if places:
        members[tuple(torch.tensor(places).T)] = 1.0
    return members, tuple(others)


def _separate(units: Sequence[Unit]) -> tuple[list[Unit], list[int], dict[tuple[int, int], int]]:
    """Give every unit a batch of its own; those of a student follow each other, its own first.

    Returns the units, the batch that each has read before, and where (student, batch before) is now.
    """
    ordered = sorted(units, key=lambda unit: (unit.student, not unit.own))
    place = {(unit.student, unit.batch): number for number, unit in enumerate(ordered)}
    moved = [replace(unit, batch=number) for number, unit in enumerate(ordered)]
    return moved, [unit.batch for unit in ordered], place
