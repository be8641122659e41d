"""Who is told how many rounds of a measurement are done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["rounds_done", "watching_rounds"]

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
