"""The record of one run: every row goes to a file first, then to the tracker, which may fail."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from cgl_ignite.tracking.base import Row, RunInfo, Status, StudentModel, Tracker
from cgl_ignite.tracking.files import append_row, read_rows, write_atomically, write_rows
from cgl_ignite.tracking.guard import Guard, warn_by_log

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Journal", "settle"]

ROWS, LINK, ARTIFACTS = "metrics.jsonl", "tracking.json", "artifacts"


class Journal:
    """The record of one run in its folder, sent on to a tracker.

    The folder holds ``metrics.jsonl`` (one row per epoch), ``artifacts/`` and ``tracking.json``, which
    says under which id the tracker knows the run. What the tracker did not take is sent again with the
    next row, at the end, and when the run is resumed; what it already has is not sent twice.

    Open one with :meth:`create` or :meth:`resume`.
    """

    def __init__(
        self, folder: Path, tracker: Tracker, info: RunInfo, warn: Callable[[str], None] = warn_by_log
    ) -> None:
        self.folder = folder
        self.tracker = tracker
        self.info = info
        self.guard = Guard(warn)
        self.rows: list[Row] = []
        self.tracked: str | None = None
        self._unsent: list[Row] = []
        self._files: set[Path] = set()
        self._recorded = 0
        self._reopen = False
        self._unsure = False

    @classmethod
    def create(cls, runs: Path, tracker: Tracker, info: RunInfo, warn: Callable[[str], None] = warn_by_log) -> Journal:
        """Start a run in ``runs/<id>``, with the tracker's id or, if the tracker fails, one of our own."""
        journal = cls(runs, tracker, info, warn)
        journal.tracked = journal.guard.attempt("opening the run", lambda: tracker.open(info))
        journal.folder = runs / (journal.tracked or uuid4().hex)
        (journal.folder / ARTIFACTS).mkdir(parents=True, exist_ok=True)
        journal._save_link()
        return journal

    @classmethod
    def resume(
        cls,
        folder: Path,
        tracker: Tracker,
        info: RunInfo,
        epoch: int,
        warn: Callable[[str], None] = warn_by_log,
    ) -> Journal:
        """Go on with the run of a folder after ``epoch``; later rows are dropped, they will come again."""
        journal = cls(folder, tracker, info, warn)
        journal.rows = [row for row in read_rows(folder / ROWS) if row.epoch <= epoch]
        write_rows(folder / ROWS, journal.rows)
        journal.tracked = _tracked_id(_read_link(folder), tracker.uri)
        journal._reopen = journal._unsure = journal.tracked is not None
        journal._unsent = list(journal.rows)
        journal._files = {
            path for path in (folder / ARTIFACTS).rglob("*") if path.is_file() and not path.name.startswith(".")
        }
        journal._deliver(force=True)
        return journal

    @property
    def run_id(self) -> str:
        """The name of the run's folder; where the tracker was there from the start, the tracker's id."""
        return self.folder.name

    def log(self, epoch: int, values: Mapping[str, float], *, final: bool = False) -> None:
        """Record the values of an epoch; ``final``: those that are measured once, after training."""
        if final and any(row.final for row in self.rows):
            return
        row = Row(epoch, time.time_ns() // 1_000_000, dict(values), final)
        append_row(self.folder / ROWS, row)
        self.rows.append(row)
        if final or epoch > self._recorded:
            self._unsent.append(row)
        self._deliver()

    def text(self, name: str, content: str) -> None:
        """Keep a text as an artifact, e.g. ``journal.text("pipeline.toml", text)``."""
        self.content(name, content.encode())

    def content(self, name: str, content: bytes) -> None:
        """Keep a file as an artifact."""
        path = self.folder / ARTIFACTS / name
        write_atomically(path, content)
        self._add(path)

    def figure(self, name: str, figure: Figure) -> None:
        """Keep a figure as an artifact; the ending of its name (png, svg, pdf) says how."""
        path = self.folder / ARTIFACTS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{os.getpid()}.{path.name}")
        figure.savefig(temporary, dpi=160)
        temporary.replace(path)
        self._add(path)

    def model(self, model: StudentModel) -> str | None:
        """Hand the selected student to the tracker; its URI, or None if the tracker failed."""
        self._deliver(force=True)
        run_id = self.tracked
        if run_id is None or self.guard.failing:
            return None
        return self.guard.attempt("storing the model", lambda: self.tracker.model(run_id, model))

    def close(self, status: Status) -> None:
        """Send what is left and end the run with its true status."""
        self._deliver(force=True)
        run_id = self.tracked
        if run_id is not None and not self.guard.failing:
            self.guard.attempt("closing the run", lambda: self.tracker.close(run_id, status))
        self._save_link(status)
        if self.guard.failing:
            self.guard.warn(
                f"tracking: {len(self._unsent)} rows and {len(self._files)} artifacts did not reach"
                f" {self.tracker.uri}; they are kept in {self.folder}"
            )

    def _add(self, path: Path) -> None:
        self._files.add(path)
        self._deliver()

    def _deliver(self, *, force: bool = False) -> None:
        if force or self.guard.due:
            self.guard.attempt("sending the rows", self._send)

    def _send(self) -> None:
        run_id = self._tracked_run()
        if self._unsure:
            self._recorded = self.tracker.last_epoch(run_id)
            self._unsent = [row for row in self._unsent if row.final or row.epoch > self._recorded]
            self._unsure = False
        if self._unsent:
            self._unsure = True
            self.tracker.log(run_id, self._unsent)
            self._unsure = False
            self._unsent = []
        for path in sorted(self._files):
            folder = path.parent.relative_to(self.folder / ARTIFACTS)
            self.tracker.file(run_id, path, "" if folder == Path() else folder.as_posix())
            self._files.discard(path)

    def _tracked_run(self) -> str:
        if self.tracked is None:
            self.tracked = self.tracker.open(self.info)
            self._save_link()
        elif self._reopen:
            self.tracker.reopen(self.tracked, self.info.parameters)
        self._reopen = False
        return self.tracked

    def _save_link(self, status: Status | None = None) -> None:
        link = {
            "uri": self.tracker.uri,
            "run": self.tracked,
            "parent": self.info.parent,
            "status": status,
            "settled": status is not None and not self.guard.failing,
        }
        write_atomically(self.folder / LINK, json.dumps(link, indent=1).encode())


def settle(folder: Path, tracker: Tracker, info: RunInfo, warn: Callable[[str], None] = warn_by_log) -> None:
    """Send the tracker what it missed of a run that has ended; nothing is done where it missed nothing."""
    link = _read_link(folder)
    if link.get("status") is None or link.get("settled"):
        return
    last = max((row.epoch for row in read_rows(folder / ROWS)), default=0)
    Journal.resume(folder, tracker, info, last, warn).close(link["status"])


def _read_link(folder: Path) -> dict[str, Any]:
    path = folder / LINK
    link: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return link


def _tracked_id(link: Mapping[str, Any], uri: str) -> str | None:
    """The id under which the tracker of this address knows the run, if it does."""
    run = link.get("run") if link.get("uri") == uri else None
    return run if isinstance(run, str) else None
