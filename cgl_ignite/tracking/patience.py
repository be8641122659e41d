"""How long a process waits for a store that fails: after a slow failure, calls are refused for a while."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TypeVar

from cgl_ignite.tracking.base import StillDown, TrackerError, UnknownRun

__all__ = ["Patience"]

T = TypeVar("T")

SLOW_SECONDS, PAUSE_FACTOR = 1.0, 20.0
"""After a failure that took longer, the store is left alone for so many times as long."""
BUDGET_SECONDS = 30.0
"""Once failures have taken so long in all, the store is tried at the end of each run only."""


class Patience:
    """Calls a store, unless it has just failed or has cost too much time already.

    Args:
        clock: seconds, for tests.

    Attributes:
        waited: seconds that failures have taken so far.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.waited = 0.0
        self._next_try = 0.0
        self._failure: TrackerError | None = None

    def call(self, call: Callable[[], T]) -> T:
        """Return what the call returns.

        Raises:
            TrackerError: the first failure of an outage.
            StillDown: a later one, or the store is not tried now.
            UnknownRun: the store answers, but has no such run.
        """
        if self._failure is not None and self.clock() < self._next_try:
            raise StillDown(str(self._failure))
        started = self.clock()
        try:
            result = call()
        except UnknownRun:
            self._failure = None
            raise
        except TrackerError as error:
            before = self._failure
            self._failed(error, self.clock() - started)
            if before is not None:
                raise StillDown(str(error)) from error
            raise
        self._failure = None
        return result

    def _failed(self, error: TrackerError, taken: float) -> None:
        self.waited += taken
        pause = PAUSE_FACTOR * taken if taken > SLOW_SECONDS else 0.0
        self._failure = error
        self._next_try = self.clock() + (pause if self.waited < BUDGET_SECONDS else math.inf)

    def renew(self) -> None:
        """Try the store with the next call, whatever happened before."""
        self._next_try = 0.0
