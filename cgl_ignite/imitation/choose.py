"""Whom does each student imitate in this iteration (``Select`` of Eq. 5), decided before any forward pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from cgl_ignite.errors import InputError
from cgl_ignite.registry import Registry
from cgl_ignite.seeding import stream

__all__ = ["CHOICES", "Choice", "bernoulli", "constant", "everyone", "fixed", "nobody", "others", "peers", "regular"]

Size = Annotated[int, Field(ge=1)]
Probability = Annotated[float, Field(gt=0, le=1)]


@dataclass(frozen=True)
class Choice:
    """A way to choose sub-groups.

    Attributes:
        expected: how many students one student imitates on average.
        draw: ``draw(generator)`` gives ``imitated`` (K, K) bool on the CPU; ``imitated[k, j]`` says that k imitates j.
        by_probability: H = K p where each other student is chosen with probability p, see :attr:`printed`.
    """

    expected: float
    draw: Callable[[torch.Generator], Tensor]
    by_probability: float | None = None

    def at(self, seed: int, iteration: int) -> Tensor:
        """Draw whom every student imitates in an iteration of the run of a seed."""
        return self.draw(stream(seed, "sub-groups", iteration))

    @property
    def printed(self) -> float:
        """H as the paper counts it: K p for a probability, as if a student could draw itself, else the number."""
        return self.expected if self.by_probability is None else self.by_probability


CHOICES: Registry[Callable[..., Choice]] = Registry("choice")


@CHOICES.register("nobody")
def nobody(students: int) -> Choice:
    """Imitate nobody: labels only."""
    return Choice(0.0, lambda _: torch.zeros(students, students, dtype=torch.bool))


@CHOICES.register("others")
def others(students: int) -> Choice:
    """Imitate all other students in every iteration."""
    table = ~torch.eye(students, dtype=torch.bool)
    return Choice(float(students - 1), lambda _: table)


@CHOICES.register("everyone")
def everyone(students: int) -> Choice:
    """Imitate all students in every iteration, itself included, as in ONE."""
    table = torch.ones(students, students, dtype=torch.bool)
    return Choice(float(students), lambda _: table)


@CHOICES.register("peers")
def peers(students: int) -> Choice:
    """Imitate all but the last student, the group leader; peers imitate themselves too, as in OKDDip.

    Raises:
        InputError: a leader without peers.
    """
    if students < 2:
        raise InputError("the last student is the leader; it needs at least one peer to imitate")
    table = torch.ones(students, students, dtype=torch.bool)
    table[:, -1] = False
    return Choice(float(students - 1), lambda _: table)


@CHOICES.register("bernoulli")
def bernoulli(students: int, *, probability: Probability) -> Choice:
    """Choose each other student with probability p: p (K - 1) on average, nobody now and then.

    The paper counts H = K p imitated students (its appendix: 1 + K p passes a batch), though a student never imitates
    itself.
    """
    others_only = ~torch.eye(students, dtype=torch.bool)

    def draw(generator: torch.Generator) -> Tensor:
        return (torch.rand(students, students, generator=generator) < probability) & others_only

    return Choice(probability * (students - 1), draw, by_probability=probability * students)


@CHOICES.register("constant")
def constant(students: int, *, imitated: Annotated[float, Field(gt=0)]) -> Choice:
    """Choose each other student with the probability that keeps K p = ``imitated``, at most 1.

    So the number of passes of a student does not grow with the number of students, as in the paper's appendix.
    """
    return bernoulli(students, probability=min(1.0, imitated / students))


@CHOICES.register("fixed")
def fixed(students: int, *, size: Size) -> Choice:
    """Choose exactly H = ``size`` others without replacement, for each student by itself.

    Raises:
        InputError: more imitated students than others exist.
    """
    _check_size(students, size)

    def draw(generator: torch.Generator) -> Tensor:
        scores = torch.rand(students, students, generator=generator).fill_diagonal_(-1)
        chosen = torch.zeros(students, students, dtype=torch.bool)
        return chosen.scatter_(1, scores.topk(size, dim=1).indices, True)

    return Choice(float(size), draw)


@CHOICES.register("regular")
def regular(students: int, *, size: Size) -> Choice:
    """Put the students on a randomly permuted ring; each imitates the next H = ``size``.

    Everyone imitates H students and is imitated H times, so the work of every iteration is the same.

    Raises:
        InputError: more imitated students than others exist.
    """
    _check_size(students, size)

    def draw(generator: torch.Generator) -> Tensor:
        ring = torch.randperm(students, generator=generator)
        chosen = torch.zeros(students, students, dtype=torch.bool)
        for distance in range(1, size + 1):
            chosen[ring, ring.roll(-distance)] = True
        return chosen

    return Choice(float(size), draw)


def _check_size(students: int, size: int) -> None:
    if size > students - 1:
        raise InputError(f"{size} is more than the {students - 1} other students", key="method.choose.size")
