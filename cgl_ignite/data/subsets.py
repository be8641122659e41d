"""Who reads what: the groups into which the training part is divided, and the group of each student."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from cgl_ignite.errors import InputError
from cgl_ignite.registry import Registry
from cgl_ignite.seeding import stream

__all__ = ["SUBSETS", "Subsets", "disjoint", "whole"]


@dataclass(frozen=True)
class Subsets:
    """Groups of training rows; student k learns from group ``group_of[k]``.

    ``groups(epoch)`` gives the rows of each group in an epoch, counted from 0; their numbers,
    ``sizes``, are the same in every epoch.
    """

    group_of: tuple[int, ...]
    sizes: tuple[int, ...]
    groups: Callable[[int], tuple[Tensor, ...]]


SUBSETS: Registry[Callable[..., Subsets]] = Registry("sub-sets")
"""Builders ``(targets: Tensor (N,), students: int, seed: int, *, options) -> Subsets``."""


@SUBSETS.register("disjoint")
def disjoint(
    targets: Tensor,
    students: int,
    seed: int,
    *,
    redraw_every: Annotated[int, Field(ge=0)] = 0,
    overlap: Annotated[float, Field(ge=0, le=1)] = 0.0,
    stratified: bool = False,
) -> Subsets:
    """Divide the training part into one sub-set per student, with sizes that differ by at most one.

    Args:
        targets: classes of the training rows, (N,).
        students: number of students, K.
        seed: the run's seed.
        redraw_every: divide anew after this many epochs; 0 divides once per run.
        overlap: fraction of the other students' rows that each sub-set gets besides its own.
        stratified: keep the shares of the classes, up to one row per class.

    Raises:
        InputError: there are fewer than two rows per student.
    """
    rows = len(targets)
    if rows < 2 * students:
        raise InputError(
            f"{students} is too many for a training part of {rows} rows: every sub-set "
            "needs at least 2; take fewer students, a smaller data.holdout or a larger data.limit",
            key="method.students",
        )
    own = [len(range(k, rows, students)) for k in range(students)]

    @functools.lru_cache(maxsize=1)
    def drawn(drawing: int) -> tuple[Tensor, ...]:
        parts = _divide(targets.cpu(), students, stream(seed, "subsets", drawing), stratified)
        return tuple(_overlapping(parts, k, overlap, seed, drawing) for k in range(students))

    return Subsets(
        group_of=tuple(range(students)),
        sizes=tuple(size + round(overlap * (rows - size)) for size in own),
        groups=lambda epoch: drawn(epoch // redraw_every if redraw_every else 0),
    )


@SUBSETS.register("whole")
def whole(targets: Tensor, students: int, seed: int) -> Subsets:
    """Let all students read the whole training part, in one order.

    Raises:
        InputError: there are fewer than two rows.
    """
    rows = len(targets)
    if rows < 2:
        raise InputError(f"{rows} training rows are too few, 2 are needed", key="method.students")
    return Subsets(group_of=(0,) * students, sizes=(rows,), groups=lambda epoch: (torch.arange(rows),))


def _divide(targets: Tensor, students: int, generator: torch.Generator, stratified: bool) -> list[Tensor]:
    """Deal the shuffled rows to the students; sorted by class, each gets every K-th row of a class."""
    order = torch.randperm(len(targets), generator=generator)
    if stratified:
        order = order[targets[order].argsort(stable=True)]
    return [order[k::students] for k in range(students)]


def _overlapping(parts: list[Tensor], student: int, overlap: float, seed: int, drawing: int) -> Tensor:
    """Add to a student's own part its fraction of the rows of the others."""
    others = torch.cat(parts[:student] + parts[student + 1 :] or [parts[0][:0]])
    generator = stream(seed, "overlap", drawing, student)
    added = torch.randperm(len(others), generator=generator)[: round(overlap * len(others))]
    return torch.cat([parts[student], others[added]])
