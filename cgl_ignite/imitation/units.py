"""Who learns in which turn of an iteration, and which (student, batch) pairs that must run."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from cgl_ignite.pool.plan import Unit

__all__ = ["imitation_units", "turns_of"]


def turns_of(update: Literal["together", "in turn"], students: int) -> list[list[int]]:
    """List the students that learn in each turn of an iteration; a turn ends with an optimizer step.

    Example:
        >>> turns_of("together", 3), turns_of("in turn", 3)
        ([[0, 1, 2]], [[0], [1], [2]])
    """
    everyone = list(range(students))
    return [everyone] if update == "together" else [[student] for student in everyone]


def imitation_units(
    batches: Sequence[int],
    group_of: Sequence[int],
    imitated: Sequence[Sequence[bool]],
    *,
    gradient: bool,
    turn: Collection[int] | None = None,
    elsewhere: Collection[int] = (),
) -> list[Unit]:
    """List the units of some batches: the students that learn from them, and those these students imitate.

    Args:
        batches: data groups to work on; unit batches are numbered by their position here.
        group_of: for each student, the group it learns from.
        imitated: (K, K) choices.
        gradient: whether imitated logits take part in the backward pass.
        turn: the students that learn now; by default all.
        elsewhere: students that learn from these batches in other passes, which run them.
    """
    turn = range(len(group_of)) if turn is None else turn
    units = []
    for position, group in enumerate(batches):
        learners = [student for student, read in enumerate(group_of) if read == group and student in turn]
        run = {*learners, *(student for student in elsewhere if group_of[student] == group)}
        members = {j for k in learners for j, chosen in enumerate(imitated[k]) if chosen}
        units += [Unit(k, position, own=True, gradient=True) for k in learners]
        units += [Unit(j, position, own=False, gradient=gradient) for j in sorted(members - run)]
    return units
