"""Who is told how far a long reading of texts has come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

__all__ = ["ProgressReport", "report", "watching"]


class ProgressReport(NamedTuple):
    """What is being done, how many rows it has done, and how much of all: from 0 to 1, or None if nobody knows."""

    doing: str
    rows: int
    done: float | None


_watcher: ContextVar[Callable[[ProgressReport], None] | None] = ContextVar("watcher", default=None)


@contextmanager
def watching(watcher: Callable[[ProgressReport], None]) -> Iterator[None]:
    """Tell a watcher of all progress within the block."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def report(doing: str, rows: int, done: float | None) -> None:
    """Tell the watcher, if there is one."""
    if watcher := _watcher.get():
        watcher(ProgressReport(doing, rows, done))
