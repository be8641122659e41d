"""Who spends how long of a run: calls that are timed, each without the timed calls within it."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

__all__ = ["Ledger", "share_of_a_minute"]

MINUTE = 60.0


class Ledger:
    """Notes the time of calls, by name.

    Attributes:
        spent: for each name the seconds of every call.

    Args:
        clock: tells the seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock = clock
        self.spent: dict[str, list[float]] = {}
        self._within = [0.0]

    def timed(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function, or a method, whose calls are noted."""
        spent = self.spent.setdefault(name, [])

        @functools.wraps(work)
        def call(*args: Any, **kwargs: Any) -> Any:
            self._within.append(0.0)
            since = self.clock()
            try:
                return work(*args, **kwargs)
            finally:
                seconds = self.clock() - since
                spent.append(seconds - self._within.pop())
                self._within[-1] += seconds

        return call


def share_of_a_minute(
    spent: Mapping[str, Sequence[float]], once: Sequence[str], often: Sequence[str], training: float
) -> dict[str, float]:
    """Tell what part of an epoch of a minute each name takes, and all of them ``together``.

    Args:
        spent: seconds of every call.
        once: names that are called once in an epoch: the median of their calls counts, whatever the epoch's length.
        often: names that are called all the time: they take the same share of any epoch.
        training: seconds in which the latter were called.

    Example:
        >>> share_of_a_minute({"save": [0.6, 0.6], "draw": [0.25, 0.5]}, ["save"], ["draw"], 75.0)
        {'save': 0.01, 'draw': 0.01, 'together': 0.02}
    """
    shares = {name: median(spent[name]) / MINUTE for name in once}
    shares |= {name: sum(spent[name]) / training for name in often}
    return {**shares, "together": sum(shares.values())}
