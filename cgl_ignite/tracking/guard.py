"""Keep a failing store away from the training: one warning, and another try later."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from cgl_ignite.tracking.base import StillDown, TrackerError

__all__ = ["Guard", "warn_by_log"]

T = TypeVar("T")

SLOW_SECONDS, PATIENCE = 1.0, 20.0
"""After a failure that took longer than the first, the next try waits for PATIENCE times as long."""


class Guard:
    """Calls a tracker; a failure becomes a warning, once per outage.

    Args:
        warn: takes the text of a warning.
        clock: seconds, for tests.
    """

    def __init__(self, warn: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self.warn = warn
        self.clock = clock
        self.failing = False
        self._told = False
        self._next_try = 0.0

    @property
    def due(self) -> bool:
        """Whether the store should be tried (again) now."""
        return not self.failing or self.clock() >= self._next_try

    def attempt(self, what: str, call: Callable[[], T]) -> T | None:
        """Return what the call returns, or None if the store failed."""
        started = self.clock()
        try:
            result = call()
        except TrackerError as error:
            now = self.clock()
            taken = now - started
            self._next_try = now + PATIENCE * taken if taken > SLOW_SECONDS else now
            if not self.failing and not isinstance(error, StillDown):
                self.warn(f"tracking: {what} failed, training goes on and tries again later: {error}")
                self._told = True
            self.failing = True
            return None
        if self._told:
            self.warn("tracking: the store answers again")
        self.failing = self._told = False
        return result


def warn_by_log(text: str) -> None:
    """Warn through the logger of the package."""
    logging.getLogger("cgl_ignite").warning(text)
