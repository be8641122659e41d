"""Rules that select the student and the epoch by the holdout, as plain functions of the scores so far."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Annotated, Literal, NamedTuple, TypeAlias

import torch
from pydantic import Field

from cgl_ignite.config.schema import Part
from cgl_ignite.registry import Registry
from cgl_ignite.seeding import stream

__all__ = ["SELECTIONS", "History", "HoldoutMean", "Rule", "Selected", "best", "candidates", "last", "leader", "random"]


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
At: TypeAlias = Literal["best", "last"]
Epochs: TypeAlias = Annotated[int, Field(ge=1)]

SELECTIONS: Registry[Callable[..., Rule]] = Registry("selection")
"""Builders given the number of students and the seed.

A rule gets the epoch, the holdout scores of all epochs so far and what was selected before, and returns either that
or a student of this epoch. ``among`` is a fact of each kind: what it chooses among, ``students``, ``epochs`` or both.
"""

DIGITS = 4
"""Mean accuracies in percent that differ only behind these decimals are equal."""


@SELECTIONS.register("best", among=("students", "epochs"))
def best(students: int, seed: int, *, by: By = "accuracy", epochs: Epochs = 1) -> Rule:
    """Select the best student at its best epoch.

    Students are compared by their holdout accuracy, ties by lower holdout cross-entropy, then by the later epoch and
    the lower index; ``by = "cross_entropy"`` compares cross-entropies first. With ``epochs`` = n both are means over
    the student's last n epochs, so that an epoch before the n-th is selected only in a shorter training. The weights
    are those of the last of these epochs.
    """
    return _best_of(range(students), by, epochs)


@SELECTIONS.register("last", among=("students",))
def last(students: int, seed: int, *, by: By = "accuracy", epochs: Epochs = 1) -> Rule:
    """Select the best student of the last epoch, compared as by ``best``."""
    return _at_the_end(_best_of(range(students), by, epochs))


@SELECTIONS.register("random", among=("epochs",))
def random(students: int, seed: int, *, at: At = "best", by: By = "accuracy", epochs: Epochs = 1) -> Rule:
    """Select a student drawn from the seed, at its best epoch, compared as by ``best``, or at the last one."""
    drawn = int(torch.randint(students, (), generator=stream(seed, "selection")))
    return _of_one(drawn, at, by, epochs)


@SELECTIONS.register("leader", among=("epochs",))
def leader(students: int, seed: int, *, at: At = "best", by: By = "accuracy", epochs: Epochs = 1) -> Rule:
    """Select the last student, the group leader of OKDDip, at its best epoch or at the last one."""
    return _of_one(students - 1, at, by, epochs)


def candidates(selection: Part, students: int, epochs: int) -> int:
    """Count the pairs of student and epoch among which a configured rule chooses.

    Example:
        >>> candidates(Part(kind="best"), students=8, epochs=40)
        320
    """
    among = SELECTIONS.facts(selection.kind)["among"]
    fixed = selection.options.get("at") == "last"
    return (students if "students" in among else 1) * (epochs if "epochs" in among and not fixed else 1)


def _of_one(student: int, at: At, by: By, epochs: int) -> Rule:
    rule = _best_of([student], by, epochs)
    return _at_the_end(rule) if at == "last" else rule


def _at_the_end(rule: Rule) -> Rule:
    """Let every epoch replace the one before."""
    return lambda epoch, history, before: rule(epoch, history, None)


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
