"""Who works on what in an iteration, and the points where the processes exchange logits and add up gradients.

A process works on whole portions: the students of one data group, or one student.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import accumulate, chain
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

from cgl_ignite.distributed.peers import Peers
from cgl_ignite.distributed.portions import crossing, owner

__all__ = ["Division", "Fast", "Ordered"]

Gradients = dict[int, Tensor]
"""Gradients of those parameters that have one, by their position in the optimizer."""


class Reduction(Protocol):
    """How the gradients of an iteration are added up."""

    def keep(self, portions: Sequence[int], parameters: Sequence[Parameter]) -> None:
        """Take what the backward pass of some portions has left."""

    def add_up(self, active: Sequence[int], parameters: Sequence[Parameter]) -> None:
        """Give every parameter that any process has used the sum of its gradients; the others keep None."""


class Division:
    """The share of this process of every iteration.

    Args:
        peers: the processes of the run.
        optimizer: over the parameters whose gradients are added up.
        reduction: how.
        portion_of: for each student, its portion.
        group_of: for each student, the data group it learns from.
        classes: how many logits a sample has.
    """

    def __init__(
        self,
        peers: Peers,
        optimizer: Optimizer,
        reduction: Reduction,
        portion_of: Sequence[int],
        group_of: Sequence[int],
        classes: int,
    ) -> None:
        self.peers = peers
        self.reduction = reduction
        self.portion_of = portion_of
        self.classes = classes
        self.parameters: list[Parameter] = [each for group in optimizer.param_groups for each in group["params"]]
        self._crossing = crossing(portion_of, group_of, peers.size)

    def own(self, students: Iterable[int]) -> list[int]:
        """Return those of some students that learn in this process."""
        return [student for student in students if self._owner(student) == self.peers.rank]

    def sent(self, learners: Sequence[int], imitated: Tensor) -> tuple[int, ...]:
        """List the students whose logits another process needs, given all that learn and the (K, K) choices."""
        needed = (imitated & self._crossing)[list(learners)].any(dim=0)
        return tuple(needed.nonzero().flatten().tolist())

    def computing(self) -> AbstractContextManager[None]:
        """Keep an error of this process until the gradients are added up, where all learn of it."""
        return self.peers.computing()

    def exchange(self, logits: Mapping[int, Tensor], sent: Mapping[int, int]) -> dict[int, Tensor]:
        """Return the logits of students of all processes, (B, C) each; a process that has failed sends zeros.

        Args:
            logits: of the students of this process; none if it has failed.
            sent: the students whose logits are needed, and the rows of each.

        Raises:
            PeerLost: another process has ended.
        """
        if not sent:
            return {}
        of = [[student for student in sent if self._owner(student) == rank] for rank in range(self.peers.size)]
        mine = [_flat(logits[student]) for student in of[self.peers.rank] if student in logits]
        vector = torch.cat(mine) if mine else self.parameters[0].detach().new_empty(0)
        counts = [[sent[student] * self.classes for student in students] for students in of]
        received = self.peers.gather(vector, [sum(each) for each in counts])
        pieces = zip(chain(*of), chain(*map(torch.split, received, counts)), strict=True)
        return {student: values.view(-1, self.classes) for student, values in pieces}

    def keep(self, learners: Sequence[int]) -> None:
        """Take the gradients of students whose backward pass is done."""
        self.reduction.keep(self._portions(learners), self.parameters)

    def add_up(self, learners: Sequence[int]) -> None:
        """Replace the gradients of this process by the sums over all; ``learners``: all that learn.

        Raises:
            PeerFailed: another process has failed.
            PeerLost: another process has ended.
        """
        self.reduction.add_up(self._portions(learners), self.parameters)

    def _owner(self, student: int) -> int:
        return owner(self.portion_of[student], self.peers.size)

    def _portions(self, students: Iterable[int]) -> list[int]:
        return sorted({self.portion_of[student] for student in students})


class Fast:
    """One sum of all gradients, in the order of the library: equal on all processes, and dependent on their number."""

    def __init__(self, peers: Peers) -> None:
        self.peers = peers

    def keep(self, portions: Sequence[int], parameters: Sequence[Parameter]) -> None:
        """Leave the gradients where they are: they add up there."""

    def add_up(self, active: Sequence[int], parameters: Sequence[Parameter]) -> None:
        """Add up what all processes have in one vector."""
        used = [parameter.grad is not None for parameter in parameters]
        touched = self.peers.agree(used, dtype=torch.uint8).tolist()
        chosen = [parameter for parameter, has in zip(parameters, touched, strict=True) if has]
        if not chosen:
            return
        flat = torch.cat([_flat(_gradient(parameter)) for parameter in chosen])
        self.peers.add_up(flat)
        for parameter, values in zip(chosen, flat.split([each.numel() for each in chosen]), strict=True):
            _set_gradient(parameter, values)


class Ordered:
    """The gradients of every portion kept apart and added in the order of portions: the same bits for any number.

    Every process adds up its part of the parameters. It gets their gradients from all others and hands round the sums,
    so that about (portions / processes + 1) times the size of the weights leaves a process in an iteration.
    """

    def __init__(self, peers: Peers) -> None:
        self.peers = peers
        self._kept: dict[int, Gradients] = {}

    def keep(self, portions: Sequence[int], parameters: Sequence[Parameter]) -> None:
        """Set the gradients of a portion aside."""
        (portion,) = portions
        self._kept[portion] = {place: each.grad for place, each in enumerate(parameters) if each.grad is not None}
        for parameter in parameters:
            parameter.grad = None

    def add_up(self, active: Sequence[int], parameters: Sequence[Parameter]) -> None:
        """Add up the gradients of all portions."""
        kept, self._kept = self._kept, {}
        used = torch.zeros(len(active), len(parameters), dtype=torch.uint8)
        for row, portion in enumerate(active):
            used[row, list(kept.get(portion, ()))] = 1
        touched = self.peers.agree(used, dtype=torch.uint8).view_as(used).bool()
        sums = self._sums(active, touched, parameters, kept)
        self._hand_round(touched.any(dim=0), parameters, sums)

    def _sums(
        self, active: Sequence[int], touched: Tensor, parameters: Sequence[Parameter], kept: dict[int, Gradients]
    ) -> Gradients:
        """Return the sums of that part of the parameters that is up to this process."""
        rank, size = self.peers.rank, self.peers.size
        part = _parts(parameters, size)
        has = touched.tolist()

        def pieces(source: int, target: int) -> list[tuple[int, int]]:
            """List which gradients of which portions one process gives another."""
            rows = [row for row, portion in enumerate(active) if owner(portion, size) == source]
            return [(row, place) for row in rows for place in part[target] if has[row][place]]

        sizes = [each.numel() for each in parameters]
        given = [pieces(rank, target) for target in range(size)]
        taken = [pieces(source, rank) for source in range(size)]
        mine = [_flat(kept[active[row]][place]) for row, place in chain(*given)]
        vector = torch.cat(mine) if mine else parameters[0].new_empty(0)
        counts = [[sum(sizes[place] for _, place in each) for each in pairs] for pairs in (given, taken)]
        received = self.peers.hand_round(vector.detach(), *counts)
        order = list(chain(*taken))
        values = dict(zip(order, received.split([sizes[place] for _, place in order]), strict=True))
        sums: Gradients = {}
        for row, place in sorted(order):
            sums[place] = sums[place].add_(values[row, place]) if place in sums else values[row, place]
        return sums

    def _hand_round(self, touched: Tensor, parameters: Sequence[Parameter], sums: Gradients) -> None:
        """Give every parameter the sum of the process that has added it up."""
        for rank, places in enumerate(_parts(parameters, self.peers.size)):
            chosen = [place for place in places if touched[place]]
            if not chosen:
                continue
            counts = [parameters[place].numel() for place in chosen]
            flat = (
                torch.cat([sums[place] for place in chosen])
                if rank == self.peers.rank
                else parameters[0].detach().new_empty(sum(counts))
            )
            self.peers.broadcast(flat, rank)
            for place, values in zip(chosen, flat.split(counts), strict=True):
                _set_gradient(parameters[place], values)


def _parts(parameters: Sequence[Parameter], processes: int) -> list[list[int]]:
    """Divide the positions of parameters into as many ranges, of about as many numbers each."""
    ends = list(accumulate(each.numel() for each in parameters))
    parts: list[list[int]] = [[] for _ in range(processes)]
    for place, end in enumerate(ends):
        middle = end - parameters[place].numel() / 2
        parts[min(processes - 1, int(middle * processes / ends[-1]))].append(place)
    return parts


def _gradient(parameter: Parameter) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def _flat(values: Tensor) -> Tensor:
    return values.detach().reshape(-1)


def _set_gradient(parameter: Parameter, values: Tensor) -> None:
    """Write a gradient in the layout of its parameter, as autograd does."""
    parameter.grad = torch.empty_like(parameter).copy_(values.view(parameter.shape))
