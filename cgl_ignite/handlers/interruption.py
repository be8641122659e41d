"""Ctrl-C and SIGTERM: stop at the next safe moment."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ignite.engine import Engine, Events

from cgl_ignite.errors import Interrupted

__all__ = ["Interruption", "terminable"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Turn the first signal into an exception after the running iteration; a second one acts at once.

    Raises:
        Interrupted: after an iteration of training or evaluation, once a signal has come.
    """

    def __init__(self) -> None:
        self.received: int | None = None

    def attach(self, engine: Engine) -> None:
        """Look after every iteration of this engine."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        if self.received is not None:
            raise Interrupted(f"interrupted by {signal.Signals(self.received).name}")

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen to the signals while a run goes on."""
        before = {number: signal.signal(number, self._note) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            raise KeyboardInterrupt
        self.received = number


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM raise KeyboardInterrupt, as Ctrl-C does, so that whatever goes on can be ended properly."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
