"""The parent of the runs of one invocation: one child per seed, and their results as its description."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cgl_ignite.tracking.base import RunInfo, Status, Tracker, UnknownRun
from cgl_ignite.tracking.guard import Guard, warn_by_log

__all__ = ["Group", "is_finished"]


class Group:
    """A group of runs in a tracker that may fail; then ``id`` is None and the runs stand alone.

    Args:
        again: the id of a group to go on with, when runs of it are resumed.
    """

    def __init__(
        self,
        tracker: Tracker,
        info: RunInfo,
        again: str | None = None,
        warn: Callable[[str], None] = warn_by_log,
    ) -> None:
        self.tracker = tracker
        self.guard = Guard(warn)
        self.info = info
        self.id = again
        if again is None:
            self.id = self.guard.attempt("opening the group of runs", lambda: tracker.open(info))
        else:
            self._attempt("reopening the group of runs", lambda run: tracker.reopen(run, info))

    @property
    def complete(self) -> bool:
        """Whether the tracker has taken everything of the group so far."""
        return self.id is not None and not self.guard.failing

    def describe(self, text: str) -> None:
        """Describe the group in Markdown."""
        self._attempt("describing the group of runs", lambda run: self.tracker.describe(run, text))

    def file(self, path: Path, folder: str = "") -> None:
        """Store a file with the group."""
        self._attempt("storing a file", lambda run: self.tracker.file(run, path, folder))

    def close(self, status: Status) -> None:
        """End the group with its true status."""
        self._attempt("closing the group of runs", lambda run: self.tracker.close(run, status))

    def _attempt(self, what: str, call: Callable[[str], None]) -> None:
        if self.id is not None:
            self.guard.attempt(what, lambda: self._call(call))

    def _call(self, call: Callable[[str], None]) -> None:
        """Call with the group's id; a tracker that has lost the group gets a new one."""
        try:
            call(str(self.id))
        except UnknownRun:
            self.id = self.tracker.open(self.info)
            call(self.id)


def is_finished(tracker: Tracker, group: str | None, warn: Callable[[str], None] = warn_by_log) -> bool:
    """Say whether there is nothing to be done about a group of runs: it is finished, or nobody can tell.

    One that could not be opened (``None``) is not.
    """
    if group is None:
        return False
    guard = Guard(warn)
    status = guard.attempt("looking for the group of runs", lambda: tracker.status(group))
    return guard.failing or status == "FINISHED"
