"""Rounds of a measurement: who takes turns in them, and who is told how many are done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

__all__ = ["rounds_done", "take_turns", "watching_rounds"]

_watcher: ContextVar[Callable[[int, int], None] | None] = ContextVar("watcher", default=None)


@contextmanager
def watching_rounds(watcher: Callable[[int, int], None]) -> Iterator[None]:
    """Tell a watcher of every round within the block: how many are done, and of how many."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def rounds_done(done: int, rounds: int) -> None:
    """Tell the watcher, if there is one; to be called where no clock runs."""
    if watcher := _watcher.get():
        watcher(done, rounds)


def take_turns(
    ways: Mapping[str, Callable[[], Any]], rounds: int, seconds: Callable[[], float]
) -> dict[str, list[float]]:
    """Do the same in several ways, one after the other in every round; return the seconds of each, by its name."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for done in range(1, rounds + 1):
        for name, way in ways.items():
            since = seconds()
            way()
            times[name].append(seconds() - since)
        rounds_done(done, rounds)
    return times
