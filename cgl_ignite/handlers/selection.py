"""Who speaks at the end: rules that select a student and an epoch by the holdout."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from ignite.engine import Engine, Events

from cgl_ignite.handlers.state import Selected, state_of
from cgl_ignite.pool import ModularNetwork
from cgl_ignite.registry import Registry
from cgl_ignite.seeding import stream

__all__ = ["SELECTIONS", "StudentSelector", "best", "last", "leader", "random"]

Rule = Callable[[int, Sequence[float], Selected | None], Selected]

SELECTIONS: Registry[Callable[..., Rule]] = Registry("selection")
"""Builders given the number of students and the seed.

A rule gets the epoch, the holdout accuracies of all students and what was selected before, and returns what is
selected now.
"""


@SELECTIONS.register("best")
def best(students: int, seed: int) -> Rule:
    """Select the best (epoch, student); ties go to the earlier epoch and the lower index."""

    def rule(epoch: int, accuracy: Sequence[float], before: Selected | None) -> Selected:
        now = _best_student(epoch, accuracy)
        return now if before is None or now.score > before.score else before

    return rule


@SELECTIONS.register("last")
def last(students: int, seed: int) -> Rule:
    """Select the best student of the last epoch."""
    return lambda epoch, accuracy, before: _best_student(epoch, accuracy)


@SELECTIONS.register("random")
def random(students: int, seed: int) -> Rule:
    """Select a student drawn from the seed, at its best epoch."""
    return _always(int(torch.randint(students, (), generator=stream(seed, "selection"))))


@SELECTIONS.register("leader")
def leader(students: int, seed: int) -> Rule:
    """Select the last student, the group leader of OKDDip, at its best epoch."""
    return _always(students - 1)


class StudentSelector:
    """Apply the rule after every holdout evaluation and keep the weights of the selected epoch."""

    def __init__(self, pool: ModularNetwork, rule: Rule) -> None:
        self.pool = pool
        self.rule = rule
        self.selected: Selected | None = None
        self.weights: dict[str, torch.Tensor] = {}
        self.judged = 0

    def attach(self, engine: Engine) -> None:
        """Write ``state.selected``."""
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        before = self.selected
        self.judged = state_of(engine).epoch
        self.selected = self.rule(self.judged, state_of(engine).holdout.accuracy, before)
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
        """Return the selection so far with its weights."""
        chosen = self.selected
        selected = None if chosen is None else [chosen.epoch, chosen.student, chosen.score]
        return {"judged": self.judged, "selected": selected, "weights": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a selection."""
        self.judged, self.weights = state["judged"], state["weights"]
        self.selected = None if state["selected"] is None else Selected(*state["selected"])


def _always(student: int) -> Rule:
    def rule(epoch: int, accuracy: Sequence[float], before: Selected | None) -> Selected:
        now = Selected(epoch, student, accuracy[student])
        return now if before is None or now.score > before.score else before

    return rule


def _best_student(epoch: int, accuracy: Sequence[float]) -> Selected:
    score = max(accuracy)
    return Selected(epoch, list(accuracy).index(score), score)


def _copy(pool: ModularNetwork) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in pool.state_dict().items()}
