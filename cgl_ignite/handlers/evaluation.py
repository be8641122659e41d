"""Holdout scores of all students after every epoch, and the one look at the test set."""

from __future__ import annotations

import math
from collections.abc import Callable

from ignite.engine import Engine, Events

from cgl_ignite.errors import RunFailed
from cgl_ignite.handlers.selection import StudentSelector
from cgl_ignite.handlers.state import Scores, state_of

__all__ = ["HoldoutEvaluation", "TestEvaluation"]


class HoldoutEvaluation:
    """Score every student on the holdout when an epoch ends.

    Raises:
        RunFailed: a score that is not finite.
    """

    def __init__(self, evaluate: Callable[[], Scores]) -> None:
        self.evaluate = evaluate

    def attach(self, engine: Engine) -> None:
        """Write ``state.holdout``."""
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        state = state_of(engine)
        state.holdout = scores = self.evaluate()
        if not all(map(math.isfinite, [*scores.accuracy, *scores.cross_entropy])):
            raise RunFailed(
                f"the holdout scores are not finite after epoch {state.epoch}; a smaller optim.learning_rate"
                f" (now {state.learning_rate:g}) usually helps"
            )


class TestEvaluation:
    """Read the test set once, when training is complete, with the weights of the selected epoch."""

    __test__ = False

    def __init__(self, evaluate: Callable[[], Scores], selector: StudentSelector) -> None:
        self.evaluate = evaluate
        self.selector = selector

    def attach(self, engine: Engine) -> None:
        """Write ``state.test``."""
        engine.add_event_handler(Events.COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        with self.selector.selected_weights():
            state_of(engine).test = self.evaluate()
