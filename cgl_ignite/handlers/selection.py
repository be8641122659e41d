"""The student that is handed over: selected after every epoch, with its weights kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, cast

import torch
from ignite.engine import Engine, Events

from cgl_ignite.handlers.lending import copied, lent
from cgl_ignite.handlers.state import state_of
from cgl_ignite.pool import ModularNetwork
from cgl_ignite.selection import HoldoutMean, Rule, Selected

__all__ = ["StudentSelector"]


class StudentSelector:
    """Apply the rule after every holdout evaluation and keep the weights of the selected epoch.

    Args:
        pool: the network that is trained.
        rule: of selection.
        weights: the weights that were judged; by default those of the pool.
        by: the metric of the predictions that the rule compares students by, if it is one.
    """

    def __init__(
        self,
        pool: ModularNetwork,
        rule: Rule,
        weights: Callable[[], Mapping[str, torch.Tensor]] | None = None,
        by: str | None = None,
    ) -> None:
        self.pool = pool
        self.rule = rule
        self.by = by
        self._judged_weights = weights or pool.state_dict
        self.selected: Selected | None = None
        self.weights: dict[str, torch.Tensor] = {}
        self.history: list[list[list[float]]] = []
        self.judged = 0

    def attach(self, engine: Engine) -> None:
        """Write ``state.selected``."""
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        before, holdout = self.selected, state_of(engine).holdout
        self.judged = state_of(engine).epoch
        more = [] if self.by is None else [cast("list[float]", holdout.more[self.by])]
        self.history.append([list(values) for values in (holdout.accuracy, holdout.cross_entropy, *more)])
        self.selected = self.rule(self.judged, self.history, before)
        if self.selected is not before:
            self.weights = copied(self._judged_weights())
        state_of(engine).selected = self.selected

    def selected_weights(self) -> AbstractContextManager[None]:
        """Lend the pool the weights of the selected epoch."""
        return lent(self.pool, self.weights)

    def state_dict(self) -> dict[str, Any]:
        """Return the selection so far with its weights, and the scores of all epochs."""
        chosen = self.selected
        return {
            "judged": self.judged,
            "selected": None if chosen is None else [chosen.epoch, chosen.student, chosen.score],
            "mean": None if chosen is None or chosen.mean is None else [one for one in chosen.mean if one is not None],
            "history": [[list(values) for values in epoch] for epoch in self.history],
            "weights": self.weights,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a selection; a checkpoint without means and history, as written before, will do."""
        self.judged, self.weights = state["judged"], state["weights"]
        self.history = [list(epoch) for epoch in state.get("history", [])]
        mean = HoldoutMean(*state["mean"]) if state.get("mean") else None
        self.selected = None
        if state["selected"] is not None:
            epoch, student, score = state["selected"]
            self.selected = Selected(epoch, student, score, mean)
