"""The planned forward pass: which module runs on what, computed once for all students of an iteration.

The work of an iteration is a set of units (student j on batch b). Layer by layer, units whose result is the same
are merged into one *node*, and nodes of one module run in one *call*. Two units are the same up to layer l when they
read the same batch along the same path prefix; while evaluating, with running statistics of their own, their
statistics must agree as well.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

__all__ = ["Call", "Plan", "RouteTable", "Unit", "plan_forward"]


@dataclass(frozen=True)
class Unit:
    """Student ``student`` runs on batch ``batch``.

    ``own``: the student learns labels from this batch, so its running statistics move. ``gradient``: a gradient
    is wanted for its modules.
    """

    student: int
    batch: int
    own: bool
    gradient: bool


@dataclass(frozen=True)
class Call:
    """One run of one module on the rows of several nodes, in order.

    Attributes:
        module: index of the module in its layer.
        gradient: whether autograd records the call.
        sources: for each node, the node of the layer before (the batch, in the first layer) that it reads.
        batches: for each node, the batch its rows come from.
        slots: for each node, the row of running statistics to update (training; None updates nothing) or to use.
        prefixes: for each node, the number of its path prefix, an address for random masks.
        first: number of the first node of this call; its nodes follow each other.
    """

    module: int
    gradient: bool
    sources: tuple[int, ...]
    batches: tuple[int, ...]
    slots: tuple[int | None, ...]
    prefixes: tuple[int, ...]
    first: int

    def split(self) -> Iterator[Call]:
        """Yield the same work node by node."""
        nodes = zip(self.sources, self.batches, self.slots, self.prefixes, strict=True)
        for number, (source, batch, slot, prefix) in enumerate(nodes, self.first):
            yield Call(self.module, self.gradient, (source,), (batch,), (slot,), (prefix,), number)


@dataclass(frozen=True)
class Plan:
    """Calls of every layer, and where each unit's logits are found among the nodes of the last one."""

    layers: tuple[tuple[Call, ...], ...]
    nodes: int
    outputs: dict[tuple[int, int], int] = field(hash=False)

    def rows(self, students: Sequence[int], batch: int) -> list[int]:
        """Return the output nodes of some students on one batch."""
        return [self.outputs[student, batch] for student in students]


class RouteTable:
    """Paths and statistics slots of K students over L layers, with their prefixes numbered once.

    Args:
        paths: (K, L) module indices.
        slots: (K, L) rows of the running statistics; students that read the same data along the same prefix may
            share a row, since their statistics agree.

    Attributes:
        moves: (K, L), whether a student that learns moves its row; all of them do, but for those of :attr:`apart`.
    """

    def __init__(self, paths: Sequence[Sequence[int]], slots: Sequence[Sequence[int]]) -> None:
        self.paths = tuple(map(tuple, paths))
        self.slots = tuple(map(tuple, slots))
        self.moves = tuple((True,) * len(row) for row in self.slots)
        steps = [list(zip(path, row, strict=True)) for path, row in zip(self.paths, self.slots, strict=True)]
        self.training_prefixes = number_prefixes(self.paths)
        self.evaluation_prefixes = number_prefixes(steps)

    @classmethod
    def of(
        cls,
        paths: Sequence[Sequence[int]],
        group_of: Sequence[int],
        keeps: Sequence[bool],
        statistics: Literal["student", "shared"] = "student",
    ) -> RouteTable:
        """Give students their rows of running statistics.

        Students that read the same data along the same path prefix have the same statistics there, and share a row.
        Where a layer keeps no statistics all have the same row, and scoring computes prefixes that they share once.

        Args:
            paths: (K, L) module indices.
            group_of: for each student, the data group it learns from.
            keeps: for each layer, whether it keeps running statistics.
            statistics: ``student``: a row per student (and prefix); ``shared``: one row per module.
        """
        if statistics == "shared":
            slots = [[0] * len(path) for path in paths]
        else:
            grouped = number_prefixes([(group, *path) for group, path in zip(group_of, paths, strict=True)])
            slots = [list(row[1:]) for row in grouped]
        return cls(paths, [[slot * kept for slot, kept in zip(row, keeps, strict=True)] for row in slots])

    @cached_property
    def apart(self) -> RouteTable:
        """The same students for passes of some of them each: a row that several share is moved by the first alone."""
        firsts: list[dict[int, int]] = [{} for _ in range(self.layers)]
        for student, row in enumerate(self.slots):
            for first, slot in zip(firsts, row, strict=True):
                first.setdefault(slot, student)
        table = copy(self)
        table.moves = tuple(
            tuple(first[slot] == student for first, slot in zip(firsts, row, strict=True))
            for student, row in enumerate(self.slots)
        )
        return table

    @cached_property
    def evaluation(self) -> Plan:
        """One pass of every student on one batch, with its running statistics."""
        units = [Unit(student, 0, own=False, gradient=False) for student in range(self.students)]
        return plan_forward(self, units, training=False)

    @property
    def students(self) -> int:
        """K, the number of students."""
        return len(self.paths)

    @property
    def layers(self) -> int:
        """L, the number of layers."""
        return len(self.paths[0])


def number_prefixes(rows: Sequence[Sequence[Hashable]]) -> tuple[tuple[int, ...], ...]:
    """Number the distinct prefixes of each length: equal numbers in column l mean equal rows up to l.

    Example:
        >>> number_prefixes([(0, 1, 0), (0, 1, 1), (1, 1, 0)])
        ((0, 0, 0), (0, 0, 1), (1, 1, 2))
    """
    numbers: list[list[int]] = [[] for _ in rows]
    before = [0] * len(rows)
    for layer in range(len(rows[0])):
        seen: dict[tuple[int, Hashable], int] = {}
        before = [seen.setdefault((before[k], row[layer]), len(seen)) for k, row in enumerate(rows)]
        for column, number in zip(numbers, before, strict=True):
            column.append(number)
    return tuple(map(tuple, numbers))


def plan_forward(table: RouteTable, units: Sequence[Unit], *, training: bool) -> Plan:
    """Turn units into layer-by-layer calls: shared prefixes once, one call per (module, needs gradient)."""
    prefixes = table.training_prefixes if training else table.evaluation_prefixes
    sources = [unit.batch for unit in units]
    layers: list[tuple[Call, ...]] = []
    for layer in range(table.layers):
        nodes: dict[tuple[int, int], _Node] = {}
        chosen: list[_Node] = []
        for unit, source in zip(units, sources, strict=True):
            student = unit.student
            key = (unit.batch, prefixes[student][layer])
            node = nodes.get(key)
            if node is None:
                node = nodes[key] = _Node(table.paths[student][layer], source, *key)
            node.gradient |= unit.gradient
            if not training or (unit.own and table.moves[student][layer]):
                node.slot = table.slots[student][layer]
            chosen.append(node)
        layers.append(_group(nodes.values()))
        sources = [node.number for node in chosen]
    outputs = {(unit.student, unit.batch): node for unit, node in zip(units, sources, strict=True)}
    return Plan(tuple(layers), sum(len(call.sources) for call in layers[-1]), outputs)


@dataclass(slots=True)
class _Node:
    module: int
    source: int
    batch: int
    prefix: int
    gradient: bool = False
    slot: int | None = None
    number: int = -1


def _group(nodes: Iterable[_Node]) -> tuple[Call, ...]:
    groups: dict[tuple[int, bool], list[_Node]] = {}
    for node in nodes:
        groups.setdefault((node.module, node.gradient), []).append(node)
    calls = []
    first = 0
    for (module, gradient), members in sorted(groups.items(), key=lambda item: item[0]):
        for number, node in enumerate(members, first):
            node.number = number
        calls.append(
            Call(
                module,
                gradient,
                tuple(node.source for node in members),
                tuple(node.batch for node in members),
                tuple(node.slot for node in members),
                tuple(node.prefix for node in members),
                first,
            )
        )
        first += len(members)
    return tuple(calls)
