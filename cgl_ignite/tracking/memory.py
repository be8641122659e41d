"""A tracker that only remembers, for tests and for trying things out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cgl_ignite.tracking.base import MetricsRow, RunInfo, Status, StudentModel, TrackerError, UnknownRun

__all__ = ["MemoryRun", "MemoryTracker"]


@dataclass
class MemoryRun:
    """What was recorded of one run."""

    info: RunInfo
    status: str = "RUNNING"
    rows: list[MetricsRow] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    models: list[StudentModel] = field(default_factory=list)
    description: str = ""
    changed: dict[str, str] = field(default_factory=dict)


class MemoryTracker:
    """Keeps runs in ``runs``; while ``down`` is set, every call fails as an unreachable store does."""

    uri = "memory:"

    def __init__(self) -> None:
        self.runs: dict[str, MemoryRun] = {}
        self.down = False
        self.calls: list[str] = []
        self.registered: dict[str, list[str]] = {}

    def open(self, info: RunInfo) -> str:
        """Start a run; ids are ``run-1``, ``run-2``, ..."""
        self._called("open")
        run_id = f"run-{len(self.runs) + 1}"
        self.runs[run_id] = MemoryRun(info)
        return run_id

    def reopen(self, run_id: str, info: RunInfo) -> None:
        """Go on with a run."""
        run = self._run("reopen", run_id)
        before = run.info.parameters
        run.changed = {key: value for key, value in info.parameters.items() if before.get(key) != value}
        run.info = replace(run.info, parent=run.info.parent or info.parent)
        run.status = "RUNNING"

    def status(self, run_id: str) -> str | None:
        """Return the status of a run, None for an unknown one."""
        self._called("status")
        return self.runs[run_id].status if run_id in self.runs else None

    def last_epoch(self, run_id: str) -> int:
        """Return the newest recorded epoch."""
        rows = self._run("last_epoch", run_id).rows
        return max((row.epoch for row in rows if not row.final), default=0)

    def log(self, run_id: str, rows: Sequence[MetricsRow]) -> None:
        """Keep rows."""
        known = self._run("log", run_id).rows
        known.extend(row for row in rows if row not in known)

    def file(self, run_id: str, path: Path, folder: str) -> None:
        """Keep the content of a file."""
        self._run("file", run_id).files[f"{folder}/{path.name}".lstrip("/")] = path.read_bytes()

    def model(self, run_id: str, model: StudentModel) -> str:
        """Keep a model, once."""
        models = self._run("model", run_id).models
        if not models:
            models.append(model)
        return f"memory:/{run_id}/{model.name}"

    def register(self, model: str, name: str) -> str:
        """Keep the versions of a registered model."""
        self._called("register")
        versions = self.registered.setdefault(name, [])
        if model not in versions:
            versions.append(model)
        return str(versions.index(model) + 1)

    def describe(self, run_id: str, text: str) -> None:
        """Keep a description."""
        self._run("describe", run_id).description = text

    def close(self, run_id: str, status: Status) -> None:
        """End a run."""
        self._run("close", run_id).status = status

    def renew(self) -> None:
        """Do nothing: every call is tried."""

    def _run(self, call: str, run_id: str) -> MemoryRun:
        self._called(call)
        if run_id not in self.runs:
            raise UnknownRun(f"no run {run_id}")
        return self.runs[run_id]

    def _called(self, call: str) -> None:
        self.calls.append(call)
        if self.down:
            raise TrackerError("the store is down")
