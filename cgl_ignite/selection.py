"""Rules that select the student and the epoch by the holdout, as plain functions of the scores so far."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Annotated, Literal, NamedTuple, TypeAlias

import torch
from pydantic import Field

from cgl_ignite.registry import Registry
from cgl_ignite.seeding import stream

__all__ = ["SELECTIONS", "History", "HoldoutMean", "Rule", "Selected", "best", "last", "leader", "random"]


class HoldoutMean(NamedTuple):
    """Holdout accuracy in percent and cross-entropy of a student, as means over its last ``epochs`` epochs."""

    epochs: int
    accuracy: float
    cross_entropy: float


@dataclass(frozen=True)
class Selected:
    """A student (from 0) at an epoch (from 1), and its holdout accuracy in percent at this epoch.

    Attributes:
        mean: what the selecting rule compared; None in checkpoints that do not hold it.
    """

    epoch: int
    student: int
    score: float
    mean: HoldoutMean | None = None


History: TypeAlias = Sequence[tuple[Sequence[float], Sequence[float]]]
"""Holdout accuracies in percent and cross-entropies of all students, for every epoch so far."""

Rule: TypeAlias = Callable[[int, History, Selected | None], Selected]
By: TypeAlias = Literal["accuracy", "cross_entropy"]
Epochs: TypeAlias = Annotated[int, Field(ge=1)]

SELECTIONS: Registry[Callable[..., Rule]] = Registry("selection")
"""Builders given the number of students and the seed.

A rule gets the epoch, the holdout scores of all epochs so far and what was selected before, and returns either that
or a student of this epoch.
"""

DIGITS = 4
"""Mean accuracies in percent that differ only behind these decimals are equal."""


@SELECTIONS.register("best")
def best(students: int, seed: int, *, by: By = "cross_entropy", epochs: Epochs = 1) -> Rule:
    """Select the best student at its best epoch.

    Students are compared by their holdout cross-entropy, ties by higher holdout accuracy, then by the later epoch and
    the lower index; ``by = "accuracy"`` compares accuracies first. With ``epochs`` = n both are means over the
    student's last n epochs, so that an epoch before the n-th is selected only in a shorter training. The weights are
    those of the last of these epochs.
    """
    return _best_of(range(students), by, epochs)


@SELECTIONS.register("last")
def last(students: int, seed: int, *, by: By = "cross_entropy", epochs: Epochs = 1) -> Rule:
    """Select the best student of the last epoch, compared as by ``best``."""
    rule = _best_of(range(students), by, epochs)
    return lambda epoch, history, before: rule(epoch, history, None)


@SELECTIONS.register("random")
def random(students: int, seed: int, *, by: By = "cross_entropy", epochs: Epochs = 1) -> Rule:
    """Select a student drawn from the seed, at its best epoch, compared as by ``best``."""
    return _best_of([int(torch.randint(students, (), generator=stream(seed, "selection")))], by, epochs)


@SELECTIONS.register("leader")
def leader(students: int, seed: int, *, by: By = "cross_entropy", epochs: Epochs = 1) -> Rule:
    """Select the last student, the group leader of OKDDip, at its best epoch, compared as by ``best``."""
    return _best_of([students - 1], by, epochs)


def _best_of(candidates: Sequence[int], by: By, epochs: int) -> Rule:
    order = _ORDERS[by]

    def rule(epoch: int, history: History, before: Selected | None) -> Selected:
        now = max((_at(epoch, student, history[-epochs:]) for student in candidates), key=order)
        return now if before is None or order(now) >= order(before) else before

    return rule


def _at(epoch: int, student: int, recent: History) -> Selected:
    """Describe a student after the last of these epochs."""
    accuracy = fmean(accuracies[student] for accuracies, _ in recent)
    cross_entropy = fmean(values[student] for _, values in recent)
    return Selected(epoch, student, recent[-1][0][student], HoldoutMean(len(recent), accuracy, cross_entropy))


def _by_accuracy(selected: Selected) -> tuple[float, ...]:
    mean = selected.mean or HoldoutMean(1, selected.score, math.inf)
    return mean.epochs, round(mean.accuracy, DIGITS), -mean.cross_entropy


def _by_cross_entropy(selected: Selected) -> tuple[float, ...]:
    epochs, accuracy, cross_entropy = _by_accuracy(selected)
    return epochs, cross_entropy, accuracy


_ORDERS: dict[By, Callable[[Selected], tuple[float, ...]]] = {
    "accuracy": _by_accuracy,
    "cross_entropy": _by_cross_entropy,
}
