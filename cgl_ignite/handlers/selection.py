"""Selection of the student and the epoch by the holdout."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import fmean
from typing import Annotated, Any, Literal, TypeAlias

import torch
from ignite.engine import Engine, Events
from pydantic import Field

from cgl_ignite.handlers.state import HoldoutMean, Selected, state_of
from cgl_ignite.pool import ModularNetwork
from cgl_ignite.registry import Registry
from cgl_ignite.seeding import stream

__all__ = ["SELECTIONS", "History", "Rule", "StudentSelector", "best", "last", "leader", "random"]

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
def best(students: int, seed: int, *, by: By = "accuracy", epochs: Epochs = 1) -> Rule:
    """Select the best student at its best epoch.

    Students are compared by their holdout accuracy, ties by lower holdout cross-entropy, then by the later epoch and
    the lower index; ``by = "cross_entropy"`` compares cross-entropies first. With ``epochs`` = n both are means over
    the student's last n epochs, so that an epoch before the n-th is selected only in a shorter training. The weights
    are those of the last of these epochs.
    """
    return _best_of(range(students), by, epochs)


@SELECTIONS.register("last")
def last(students: int, seed: int, *, by: By = "accuracy", epochs: Epochs = 1) -> Rule:
    """Select the best student of the last epoch, compared as by ``best``."""
    rule = _best_of(range(students), by, epochs)
    return lambda epoch, history, before: rule(epoch, history, None)


@SELECTIONS.register("random")
def random(students: int, seed: int, *, by: By = "accuracy", epochs: Epochs = 1) -> Rule:
    """Select a student drawn from the seed, at its best epoch, compared as by ``best``."""
    return _best_of([int(torch.randint(students, (), generator=stream(seed, "selection")))], by, epochs)


@SELECTIONS.register("leader")
def leader(students: int, seed: int, *, by: By = "accuracy", epochs: Epochs = 1) -> Rule:
    """Select the last student, the group leader of OKDDip, at its best epoch, compared as by ``best``."""
    return _best_of([students - 1], by, epochs)


class StudentSelector:
    """Apply the rule after every holdout evaluation and keep the weights of the selected epoch."""

    def __init__(self, pool: ModularNetwork, rule: Rule) -> None:
        self.pool = pool
        self.rule = rule
        self.selected: Selected | None = None
        self.weights: dict[str, torch.Tensor] = {}
        self.history: list[tuple[list[float], list[float]]] = []
        self.judged = 0

    def attach(self, engine: Engine) -> None:
        """Write ``state.selected``."""
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        before, holdout = self.selected, state_of(engine).holdout
        self.judged = state_of(engine).epoch
        self.history.append((list(holdout.accuracy), list(holdout.cross_entropy)))
        self.selected = self.rule(self.judged, self.history, before)
        if self.selected is not before:
            self.weights = _copy(self.pool)
        state_of(engine).selected = self.selected

    @contextmanager
    def selected_weights(self) -> Iterator[None]:
        """Lend the pool the weights of the selected epoch."""
        current = _copy(self.pool)
        self.pool.load_state_dict(self.weights)
        try:
            yield
        finally:
            self.pool.load_state_dict(current)

    def state_dict(self) -> dict[str, Any]:
        """Return the selection so far with its weights, and the scores of all epochs."""
        chosen = self.selected
        return {
            "judged": self.judged,
            "selected": None if chosen is None else [chosen.epoch, chosen.student, chosen.score],
            "mean": None if chosen is None or chosen.mean is None else list(chosen.mean),
            "history": [[list(values) for values in epoch] for epoch in self.history],
            "weights": self.weights,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a selection; a checkpoint without means and history, as written before, will do."""
        self.judged, self.weights = state["judged"], state["weights"]
        self.history = [(accuracy, cross_entropy) for accuracy, cross_entropy in state.get("history", [])]
        mean = HoldoutMean(*state["mean"]) if state.get("mean") else None
        self.selected = None
        if state["selected"] is not None:
            epoch, student, score = state["selected"]
            self.selected = Selected(epoch, student, score, mean)


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


def _copy(pool: ModularNetwork) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in pool.state_dict().items()}
