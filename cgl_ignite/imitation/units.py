"""Which (student, batch) pairs an iteration must run, given who imitates whom."""

from __future__ import annotations

from collections.abc import Sequence

from cgl_ignite.pool.plan import Unit

__all__ = ["imitation_units"]


def imitation_units(
    batches: Sequence[int], reads: Sequence[int], imitated: Sequence[Sequence[bool]], *, gradient: bool
) -> list[Unit]:
    """List the units of some batches: the students that learn from them, and those these students imitate.

    Args:
        batches: data groups to work on; unit batches are numbered by their position here.
        reads: for each student, the group it learns from.
        imitated: (K, K) choices.
        gradient: whether imitated logits take part in the backward pass.
    """
    units = []
    for position, group in enumerate(batches):
        learners = [student for student, read in enumerate(reads) if read == group]
        members = {j for k in learners for j, chosen in enumerate(imitated[k]) if chosen}
        units += [Unit(k, position, own=True, gradient=True) for k in learners]
        units += [Unit(j, position, own=False, gradient=gradient) for j in sorted(members.difference(learners))]
    return units
