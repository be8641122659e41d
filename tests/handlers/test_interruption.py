from __future__ import annotations

import itertools
import signal
import time

import pytest
from ignite.engine import Engine, Events

from cgl_ignite.errors import Interrupted
from cgl_ignite.handlers.interruption import SAME, SIGNALS, Interruption

each_signal = pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)


def trainer(interruption: Interruption, at: int, *signals: signal.Signals) -> tuple[Engine, list[int]]:
    """Make an engine that is sent signals in the middle of an iteration, and what it has completed."""
    completed: list[int] = []

    def step(engine: Engine, _: int) -> None:
        if engine.state.iteration == at:
            for number in signals:
                signal.raise_signal(number)

    engine = Engine(step)
    engine.add_event_handler(Events.ITERATION_COMPLETED, lambda engine: completed.append(engine.state.iteration))
    interruption.attach(engine)
    return engine, completed


@each_signal
def test_the_first_signal_ends_the_run_after_the_iteration(number: signal.Signals) -> None:
    interruption = Interruption()
    engine, completed = trainer(interruption, 2, number)
    with interruption.listening(), pytest.raises(Interrupted, match=f"^interrupted by {number.name}$") as caught:
        engine.run([0, 1, 2], max_epochs=2)
    assert completed == [1, 2]
    assert caught.value.exit_code == 130


@each_signal
@pytest.mark.parametrize("first", SIGNALS, ids=lambda number: number.name)
def test_a_second_signal_acts_at_once(
    first: signal.Signals, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    if number == signal.SIGTERM:
        monkeypatch.setattr(time, "monotonic", itertools.count(0.0, SAME + 1).__next__)
    interruption = Interruption()
    engine, completed = trainer(interruption, 2, first, number)
    with interruption.listening(), pytest.raises(KeyboardInterrupt):
        engine.run([0, 1, 2], max_epochs=2)
    assert completed == [1]


def test_sigterm_twice_within_seconds_is_one_signal() -> None:
    """A scheduler that preempts a job sends it more than once, and the state has still to be saved."""
    interruption = Interruption()
    engine, completed = trainer(interruption, 2, signal.SIGTERM, signal.SIGTERM)
    with interruption.listening(), pytest.raises(Interrupted, match=r"^interrupted by SIGTERM$"):
        engine.run([0, 1, 2], max_epochs=2)
    assert completed == [1, 2]


def test_evaluation_is_interrupted_as_well() -> None:
    """A signal that comes while one engine runs is seen by every engine that looks."""
    interruption = Interruption()
    trainer_engine, _ = trainer(interruption, 0)
    evaluator, completed = trainer(interruption, 2, signal.SIGTERM)
    trainer_engine.add_event_handler(Events.EPOCH_COMPLETED, lambda _: evaluator.run([0, 1, 2]))
    with interruption.listening(), pytest.raises(Interrupted):
        trainer_engine.run([0, 1], max_epochs=2)
    assert completed == [1, 2]


def test_without_a_signal_nothing_happens() -> None:
    interruption = Interruption()
    engine, completed = trainer(interruption, 0)
    with interruption.listening():
        engine.run([0, 1], max_epochs=2)
    assert completed == [1, 2, 3, 4]
    assert interruption.received is None


@pytest.mark.parametrize("error", [None, ValueError, Interrupted, KeyboardInterrupt])
def test_whoever_listened_before_listens_again(error: type[BaseException] | None) -> None:
    def own(number: int, frame: object) -> None:
        raise AssertionError

    given = {number: signal.signal(number, own) for number in SIGNALS}
    try:
        with pytest.raises(error) if error else pytest.MonkeyPatch.context(), Interruption().listening():
            assert all(signal.getsignal(number) is not own for number in SIGNALS)
            if error:
                raise error
        assert all(signal.getsignal(number) is own for number in SIGNALS)
    finally:
        for number, handler in given.items():
            signal.signal(number, handler)
