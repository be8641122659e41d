"""Ctrl-C and SIGTERM: stop at the next safe moment."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from ignite.engine import Engine, Events

from cgl_ignite.errors import Interrupted

if TYPE_CHECKING:
    from cgl_ignite.distributed.peers import Peers

__all__ = ["Interruption", "terminable"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)

SAME = 5.0
"""Seconds: ``torchrun`` passes on what the terminal has sent already, and a scheduler sends SIGTERM more than once."""


class Interruption:
    """Turn the first signal into an exception after the running iteration; a second one acts at once.

    A SIGTERM within :data:`SAME` seconds of the first signal is taken for the same one. With several processes the wish
    to stop goes to all of them with the next gradients or scores, and all stop after the same iteration; any second
    signal within that time is then taken for the first one.

    Args:
        peers: the processes of the run, if there are several.

    Raises:
        Interrupted: after an iteration of training or evaluation, once a signal has come.
    """

    def __init__(self, peers: Peers | None = None) -> None:
        self.peers = peers
        self.received: int | None = None
        self._since = 0.0

    def attach(self, engine: Engine) -> None:
        """Look after every iteration of this engine."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        self.check()

    def check(self) -> None:
        """Stop if a signal has come.

        Raises:
            Interrupted: one has come.
        """
        number = self.received if self.peers is None else self.peers.stop or None
        if number is not None:
            raise Interrupted(f"interrupted by {signal.Signals(number).name}")

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
        repeated = self.peers is not None or number == signal.SIGTERM
        if self.received is not None and not (repeated and time.monotonic() - self._since <= SAME):
            raise KeyboardInterrupt
        if self.received is None:
            self.received, self._since = number, time.monotonic()
        if self.peers is not None:
            self.peers.wish = self.received


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM raise KeyboardInterrupt, as Ctrl-C does, so that whatever goes on can be ended properly."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
