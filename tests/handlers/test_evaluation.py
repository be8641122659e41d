from __future__ import annotations

from math import inf, nan

import pytest
from ignite.engine import Engine, Events
from torch import nn

from cgl_ignite.errors import RunFailed
from cgl_ignite.handlers.evaluation import HoldoutEvaluation, TestEvaluation
from cgl_ignite.handlers.selection import StudentSelector
from cgl_ignite.handlers.state import Scores
from cgl_ignite.selection import best


def scores(*accuracy: float) -> Scores:
    return Scores(list(accuracy), [0.0] * len(accuracy), None, [], {})


def test_the_holdout_is_scored_at_the_end_of_every_epoch() -> None:
    given = iter([scores(1), scores(2), scores(3)])
    engine = Engine(lambda engine, _: None)
    HoldoutEvaluation(lambda: next(given)).attach(engine)
    seen = []
    engine.add_event_handler(Events.EPOCH_COMPLETED, lambda engine: seen.append(engine.state.holdout))
    engine.run([0, 1], max_epochs=3)
    assert seen == [scores(1), scores(2), scores(3)]


@pytest.mark.parametrize("found", [([nan], [0.5]), ([50.0], [nan]), ([50.0, 50.0], [0.5, inf])])
def test_scores_that_are_not_finite_end_the_run(found: tuple[list[float], list[float]]) -> None:
    engine = Engine(lambda engine, _: setattr(engine.state, "learning_rate", 0.25))
    HoldoutEvaluation(lambda: Scores(*found, None, [], {})).attach(engine)
    message = r"the holdout scores are not finite after epoch 1; a smaller optim\.learning_rate \(now 0\.25\)"
    with pytest.raises(RunFailed, match=message):
        engine.run([0], max_epochs=2)


class Stop(Exception):
    """Ends a training before it is complete."""


def build(read: list[float]) -> tuple[Engine, nn.Linear]:
    """Train a weight that holds its epoch, best in the second; note the weight whenever the test set is read."""
    pool = nn.Linear(1, 1)
    selector = StudentSelector(pool, best(1, 1))
    engine = Engine(lambda engine, _: nn.init.constant_(pool.weight, engine.state.epoch))

    @engine.on(Events.EPOCH_COMPLETED)
    def score(engine: Engine) -> None:
        engine.state.holdout = scores(90.0 if engine.state.epoch == 2 else 10.0)

    def evaluate() -> Scores:
        read.append(pool.weight.item())
        return scores(88)

    selector.attach(engine)
    TestEvaluation(evaluate, selector).attach(engine)
    return engine, pool


def test_the_test_set_is_read_once_with_the_weights_of_the_selected_epoch() -> None:
    read: list[float] = []
    engine, pool = build(read)
    engine.run([0], max_epochs=4)
    assert read == [2.0]
    assert engine.state.test == scores(88)
    assert pool.weight.item() == 4


def test_the_test_set_is_not_read_before_training_is_complete() -> None:
    read: list[float] = []
    engine, _ = build(read)

    @engine.on(Events.EPOCH_COMPLETED(once=3))
    def stop(engine: Engine) -> None:
        raise Stop

    with pytest.raises(Stop):
        engine.run([0], max_epochs=4)
    assert not read
