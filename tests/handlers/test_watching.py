from __future__ import annotations

from typing import Any

from ignite.engine import Engine, Events

from cgl_ignite.handlers.watching import Watcher


class NotingScreen:
    """Writes down what it is shown."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, int]] = []

    def iteration(self, state: Any) -> None:
        self.seen.append(("iteration", state.iteration))

    def epoch(self, state: Any) -> None:
        self.seen.append(("epoch", state.epoch))


def test_every_iteration_and_every_epoch_is_shown_after_it_ended() -> None:
    screen, engine = NotingScreen(), Engine(lambda engine, _: None)
    Watcher(screen).attach(engine)
    engine.add_event_handler(
        Events.ITERATION_STARTED, lambda engine: screen.seen.append(("begun", engine.state.iteration))
    )
    engine.run([0, 1], max_epochs=2)
    names = [("begun", 1), ("iteration", 1), ("begun", 2), ("iteration", 2), ("epoch", 1)]
    assert screen.seen[:5] == names
    assert screen.seen[-2:] == [("iteration", 4), ("epoch", 2)]
