"""Trackers that fail where a test wants them to."""

from __future__ import annotations

from cgl_ignite.tracking import RunInfo, Status, TrackerError
from cgl_ignite.tracking.memory import MemoryTracker

__all__ = ["FailingGroups"]


class FailingGroups(MemoryTracker):
    """Fails in one call, ``open`` or ``close``, if it concerns a group of runs."""

    broken = ""

    def open(self, info: RunInfo) -> str:
        """Start a run, unless it is a group that cannot be opened."""
        self._fail_at("open", info)
        return super().open(info)

    def close(self, run_id: str, status: Status) -> None:
        """End a run, unless it is a group that cannot be closed."""
        self._fail_at("close", self.runs[run_id].info)
        super().close(run_id, status)

    def _fail_at(self, call: str, info: RunInfo) -> None:
        if call == self.broken and info.seed is None:
            raise TrackerError("no group")
