"""The record of one run: every row goes to a file first, then to the tracker, which may fail."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from cgl_ignite.errors import first_line
from cgl_ignite.tracking.base import (
    MetricsRow,
    ModelRefused,
    RunInfo,
    Status,
    StudentModel,
    Tracker,
    TrackerError,
    UnknownRun,
)
from cgl_ignite.tracking.files import append_row, read_rows, write_atomically, write_rows
from cgl_ignite.tracking.guard import Guard, warn_by_log

__all__ = ["Build", "Journal", "is_settled", "recorded_in", "sync"]

ROWS, LINK, ARTIFACTS, WORKSHOP = "metrics.jsonl", "tracking.json", "artifacts", ".model"
DESCRIPTION = "card.md"
"""The artifact that also becomes the description of the run."""
REFUSED = "refused"
T = TypeVar("T")
Build = Callable[[Path], StudentModel]
"""Makes the student ready for the tracker, with an empty folder for what it writes meanwhile."""


class Journal:
    """The record of one run in its folder, sent on to a tracker.

    The folder holds ``metrics.jsonl`` (one row per epoch), ``artifacts/`` and ``tracking.json``, which
    says under which id the tracker knows the run and where it keeps the student. What the tracker did not take is
    sent again with the next row, at the end, and when the run is resumed; what it already has is not sent twice. A
    tracker that has lost the run gets all of it under a new id.

    Open one with :meth:`create` or :meth:`resume`.
    """

    def __init__(
        self, folder: Path, tracker: Tracker, info: RunInfo, warn: Callable[[str], None] = warn_by_log
    ) -> None:
        self.folder = folder
        self.tracker = tracker
        self.info = info
        self.guard = Guard(warn)
        self.rows: list[MetricsRow] = []
        self.tracked: str | None = None
        self.stored: str | None = None
        self._build: Build | None = None
        self._unsent: list[MetricsRow] = []
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
        build: Build | None = None,
    ) -> Journal:
        """Go on with the run of a folder after ``epoch``; later rows are dropped, they will come again.

        ``build``: of the student, where the run has one.
        """
        journal = cls(folder, tracker, info, warn)
        journal.rows = [row for row in read_rows(folder / ROWS) if row.epoch <= epoch]
        write_rows(folder / ROWS, journal.rows)
        link = _read_link(folder)
        journal.tracked, journal.stored, journal._build = link.get("run"), link.get("model"), build
        journal._reopen = journal._unsure = journal.tracked is not None
        journal._unsent = list(journal.rows)
        journal._files = journal._all_files()
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
        row = MetricsRow(epoch, time.time_ns() // 1_000_000, dict(values), final)
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

    def attempt(self, what: str, keep: Callable[[], T]) -> T | None:
        """Keep something that a run can do without; a failure is a warning."""
        try:
            return keep()
        except Exception as error:  # noqa: BLE001  whatever it is, the run has its result
            self.guard.warn(f"{what} of run {self.run_id} could not be kept: {first_line(error)}")
            return None

    def model(self, build: Build) -> str | None:
        """Hand the selected student to the tracker; its URI, or None if it has to be sent later or cannot be stored."""
        self._build = build
        self._deliver(force=True)
        return self.model_uri

    @property
    def model_uri(self) -> str | None:
        """Where the tracker keeps the student."""
        return _uri(self.stored)

    def close(self, status: Status) -> None:
        """Send what is left and end the run with its true status; what fails here is a warning."""
        self.attempt("the last records", lambda: self._close(status))

    def _close(self, status: Status) -> None:
        self.tracker.renew()
        self._deliver(force=True)
        run_id = self.tracked
        if run_id is not None and not self.guard.failing:
            self.guard.attempt("closing the run", lambda: self.tracker.close(run_id, status))
        self._save_link(status)
        if self.guard.failing:
            kept = f"{len(self._unsent)} rows{',' if self._owes_student else ' and'} {len(self._files)} artifacts"
            self.guard.warn(
                f"tracking: {kept}{' and the student' if self._owes_student else ''} did not reach"
                f" {self.tracker.uri}; they are kept in {self.folder}, and --resume sends them"
            )

    def _add(self, path: Path) -> None:
        self._files.add(path)
        self._deliver()

    def _deliver(self, *, force: bool = False) -> None:
        if force or self.guard.due:
            self.guard.attempt("sending the rows", self._send)

    def _send(self) -> None:
        try:
            self._send_all(self._tracked_run())
        except UnknownRun:
            self._forget()
            self._send_all(self._tracked_run())

    def _send_all(self, run_id: str) -> None:
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
            if path == self.folder / ARTIFACTS / DESCRIPTION:
                self.tracker.describe(run_id, path.read_text("utf-8"))
            self._files.discard(path)
        if self._build is not None and self._owes_student:
            self._send_student(run_id, self._build)

    def _send_student(self, run_id: str, build: Build) -> None:
        workshop = self.folder / WORKSHOP
        shutil.rmtree(workshop, ignore_errors=True)
        workshop.mkdir()
        try:
            self.stored = self.tracker.model(run_id, build(workshop))
        except TrackerError:
            raise
        except Exception as error:  # noqa: BLE001  whatever it is, the run has its result
            refused = isinstance(error, ModelRefused)
            self.stored, self._build = (REFUSED if refused else None), None
            later = "" if refused else "; --resume tries again"
            self.guard.warn(f"the student is not stored as a model in {self.tracker.uri}: {first_line(error)}{later}")
        finally:
            shutil.rmtree(workshop, ignore_errors=True)
        self._save_link()

    @property
    def _owes_student(self) -> bool:
        return self._build is not None and self.stored is None

    def _forget(self) -> None:
        """Begin anew with a tracker that does not know the run."""
        self.tracked, self.stored = None, REFUSED if self.stored == REFUSED else None
        self._recorded, self._reopen, self._unsure = 0, False, False
        self._unsent, self._files = list(self.rows), self._all_files()

    def _all_files(self) -> set[Path]:
        found = (self.folder / ARTIFACTS).rglob("*")
        return {path for path in found if path.is_file() and not path.name.startswith(".")}

    def _tracked_run(self) -> str:
        if self.tracked is None:
            self.tracked = self.tracker.open(self.info)
            self._save_link()
        elif self._reopen:
            self.tracker.reopen(self.tracked, self.info)
        self._reopen = False
        return self.tracked

    def _save_link(self, status: Status | None = None) -> None:
        complete = status != "FINISHED" or self.stored is not None
        link = {
            "uri": self.tracker.uri,
            "run": self.tracked,
            "parent": self.info.parent,
            "status": status,
            "model": self.stored,
            "settled": status is not None and complete and not self.guard.failing,
        }
        write_atomically(self.folder / LINK, json.dumps(link, indent=1).encode())


def sync(
    folder: Path,
    tracker: Tracker,
    info: RunInfo,
    warn: Callable[[str], None] = warn_by_log,
    build: Build | None = None,
) -> str | None:
    """Send the tracker what it missed of a run that has a result, and return where it keeps the student.

    Nothing is done if the tracker knows the run as finished and has been sent everything (``settled`` in its link), be
    it this tracker or that of another store. A run that was recorded without its group is put into it.
    """
    link = _read_link(folder)
    run = link.get("run")
    if run is not None and link.get("settled") and (link.get("parent") or info.parent is None):
        if not recorded_in(folder, tracker):
            return _uri(link.get("model"))
        guard = Guard(warn)
        known = guard.attempt("looking for a finished run", lambda: tracker.status(run))
        if guard.failing or known == "FINISHED":
            return _uri(link.get("model"))
    last = max((row.epoch for row in read_rows(folder / ROWS)), default=0)
    journal = Journal.resume(folder, tracker, info, last, warn, build)
    journal.close("FINISHED")
    return journal.model_uri


def is_settled(folder: Path) -> bool | None:
    """Say whether the tracker has everything about a run that has ended, in its group; None if nothing says so."""
    link = _read_link(folder)
    settled = link.get("settled")
    return settled and link.get("parent") is not None if isinstance(settled, bool) else None


def recorded_in(folder: Path, tracker: Tracker) -> bool:
    """Say whether the run of a folder was last recorded by a tracker of this address."""
    return bool(_read_link(folder).get("uri") == tracker.uri)


def _uri(stored: str | None) -> str | None:
    return None if stored == REFUSED else stored


def _read_link(folder: Path) -> dict[str, Any]:
    """Read what the tracker knows of a run; a file that a full disk has cut off knows nothing."""
    try:
        link: dict[str, Any] = json.loads((folder / LINK).read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return link
