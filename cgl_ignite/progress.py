"""Who is told how far long work has come, such as the reading of texts or the analysis of runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

__all__ = ["ProgressReport", "report", "watching"]


class ProgressReport(NamedTuple):
    """How far some work has come.

    Attributes:
        doing: what is done.
        number: how many units are done.
        done: how much of all, from 0 to 1, or None if nobody knows.
        unit: what is counted, and of how many if that is known.
    """

    doing: str
    number: int
    done: float | None
    unit: str = "rows"


_watcher: ContextVar[Callable[[ProgressReport], None] | None] = ContextVar("watcher", default=None)


@contextmanager
def watching(watcher: Callable[[ProgressReport], None]) -> Iterator[None]:
    """Tell a watcher of all progress within the block."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def report(doing: str, number: int, done: float | None, unit: str = "rows") -> None:
    """Tell the watcher, if there is one."""
    if watcher := _watcher.get():
        watcher(ProgressReport(doing, number, done, unit))
