"""Rules that select the student and the epoch by the holdout, as plain functions of the scores so far."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Annotated, Literal, NamedTuple, TypeAlias

import torch
from pydantic import AfterValidator, Field

from cgl_ignite.config.schema import Part
from cgl_ignite.errors import choices, nearest
from cgl_ignite.metrics import PREDICTION_METRICS
from cgl_ignite.metrics.predictions import better_if_lower, is_of_each_class
from cgl_ignite.registry import Registry
from cgl_ignite.seeding import stream

__all__ = [
    "SELECTIONS",
    "History",
    "HoldoutMean",
    "Rule",
    "Selected",
    "best",
    "candidates",
    "compared_by",
    "last",
    "leader",
    "random",
]


class HoldoutMean(NamedTuple):
    """Holdout accuracy in percent and cross-entropy of a student, as means over its last ``epochs`` epochs.

    ``metric`` is the mean of the metric that students are compared by, if it is another one.
    """

    epochs: int
    accuracy: float
    cross_entropy: float
    metric: float | None = None


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


History: TypeAlias = Sequence[Sequence[Sequence[float]]]
"""Holdout accuracies in percent and cross-entropies of all students, for every epoch so far.

Where students are compared by another metric, its values are the third of an epoch.
"""


def _comparable(by: str) -> str:
    known = [*_ORDERS, *(name for name in PREDICTION_METRICS.kinds() if not is_of_each_class(name))]
    if by not in known:
        raise ValueError(f"must be {choices(known)}, not {by!r}{nearest(by, known)}")
    return by


Rule: TypeAlias = Callable[[int, History, Selected | None], Selected]
By: TypeAlias = Annotated[str, AfterValidator(_comparable)]
At: TypeAlias = Literal["best", "last"]
Epochs: TypeAlias = Annotated[int, Field(ge=1)]

SELECTIONS: Registry[Callable[..., Rule]] = Registry("selection")
"""Builders given the number of students and the seed.

A rule gets the epoch, the holdout scores of all epochs so far and what was selected before, and returns either that
or a student of this epoch. ``among`` is a fact of each kind: what it chooses among, ``students``, ``epochs`` or both.
"""

DIGITS = 4
"""Mean accuracies in percent that differ only behind these decimals are equal."""
METRIC_DIGITS = 8
"""The same of other metrics."""


@SELECTIONS.register("best", among=("students", "epochs"))
def best(students: int, seed: int, *, by: By = "accuracy", epochs: Epochs = 1) -> Rule:
    """Select the best student at its best epoch.

    Students are compared by their holdout accuracy, ties by lower holdout cross-entropy, then by the later epoch and
    the lower index; ``by = "cross_entropy"`` compares cross-entropies first, and ``by = "macro_f1"``, or any other
    metric of the predictions that is one number, that metric, ties by accuracy. With ``epochs`` = n both are means over
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


def compared_by(selection: Part) -> str | None:
    """Return the metric of the predictions that a configured rule compares students by; None if it needs none.

    Example:
        >>> compared_by(Part(kind="best")) is None
        True
    """
    by = selection.options.get("by")
    return by if isinstance(by, str) and by in PREDICTION_METRICS else None


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
    order = _ORDERS.get(by) or _order_of(by)

    def rule(epoch: int, history: History, before: Selected | None) -> Selected:
        now = max((_at(epoch, student, history[-epochs:]) for student in candidates), key=order)
        return now if before is None or order(now) >= order(before) else before

    return rule


def _at(epoch: int, student: int, recent: History) -> Selected:
    """Describe a student after the last of these epochs."""
    means = (fmean(one[student] for one in values) for values in zip(*recent, strict=True))
    return Selected(epoch, student, recent[-1][0][student], HoldoutMean(len(recent), *means))


def _by_accuracy(selected: Selected) -> tuple[float, ...]:
    mean = selected.mean or HoldoutMean(1, selected.score, math.inf)
    return mean.epochs, round(mean.accuracy, DIGITS), -mean.cross_entropy


def _by_cross_entropy(selected: Selected) -> tuple[float, ...]:
    epochs, accuracy, cross_entropy = _by_accuracy(selected)
    return epochs, cross_entropy, accuracy


def _order_of(metric: str) -> Callable[[Selected], tuple[float, ...]]:
    """Compare by a metric of the predictions; a value that is not a number is the worst."""
    sign = -1 if better_if_lower(metric) else 1

    def order(selected: Selected) -> tuple[float, ...]:
        epochs, *rest = _by_accuracy(selected)
        value = selected.mean.metric if selected.mean else None
        known = value is not None and not math.isnan(value)
        return epochs, sign * round(value, METRIC_DIGITS) if known and value is not None else -math.inf, *rest

    return order


_ORDERS: dict[str, Callable[[Selected], tuple[float, ...]]] = {
    "accuracy": _by_accuracy,
    "cross_entropy": _by_cross_entropy,
}
