"""The folder of a run: what stands in ``<tracking folder>/runs/<run id>/``."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from cgl_ignite.config.dump import DEFAULTS, fingerprint
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.errors import InputError
from cgl_ignite.mounts import lock_fault
from cgl_ignite.tracking.files import write_atomically
from cgl_ignite.tracking.process import gone, host, identity

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "PREDICTIONS",
    "Busy",
    "RunFolder",
    "exclusive",
    "read_run_folder",
    "start_run_folder",
    "still_busy",
]

LOCK, LOCK_SECONDS = ".lock", 0.5
"""How long a process waits for a lock: longer than another one takes to look at a run that has ended."""
PREDICTIONS = "test_predictions.npz"


class Busy(InputError):
    """Another process works in a folder."""


@dataclass(frozen=True)
class RunFolder:
    """The files of one run; ``facts`` is what ``run.json`` says about it."""

    path: Path
    facts: dict[str, Any]

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.path.name

    @property
    def checkpoint(self) -> Path:
        """State of the training."""
        return self.path / "checkpoint.pt"

    @property
    def result(self) -> Path:
        """The result; there once the run is finished."""
        return self.path / "result.json"

    @property
    def student(self) -> Path:
        """The selected student; there once the run is finished."""
        return self.path / "student.pt"

    @property
    def predictions(self) -> Path:
        """What every student predicts on every test sample."""
        return self.path / "artifacts" / PREDICTIONS

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do: a run killed right after its result still lacks its predictions."""
        return self.result.exists() and (self.facts["status"] == "FINISHED" or self.predictions.exists())

    @property
    def pid(self) -> str:
        """The process that worked on it last."""
        return str(self.facts["process"]["cgl.pid"])

    @property
    def alive(self) -> bool:
        """Whether a process may still be working on it; of one on another machine the lock tells, where locks hold."""
        process = self.facts["process"]
        if self.facts["status"] != "RUNNING" or gone(process):
            return False
        if process.get("cgl.host") == host() or lock_fault(self.path):
            return True
        return not _is_free(self.path)

    def has_read(self, data: Mapping[str, str] | None) -> bool:
        """Whether it has read these data, as far as it is known."""
        return None in (data, self.facts.get("data")) or self.facts["data"] == data

    def has_used(self, files: Mapping[str, str] | None) -> bool:
        """Whether its teachers and weights came from these files, as far as it is known."""
        return None in (files, self.facts.get("files")) or self.facts["files"] == files

    def read_setting(self) -> dict[str, Any]:
        """Read the effective values that the run was started with, as a tree.

        Raises:
            InputError: they are not there, or damaged.
        """
        path = self.path / "artifacts" / "pipeline.toml"
        try:
            return tomllib.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: not the setting of a run ({error})") from error

    def note(self, **facts: Any) -> RunFolder:
        """Write changed facts."""
        changed = RunFolder(self.path, {**self.facts, **facts})
        write_atomically(self.path / "run.json", json.dumps(changed.facts, indent=1).encode())
        return changed

    @contextmanager
    def locked(self) -> Iterator[RunFolder]:
        """Keep other processes out until the end; gives the run as it is then, as that of this process.

        Raises:
            InputError: another process works on it.
        """
        with exclusive(self.path, lambda: still_busy(read_run_folder(self.path))):
            yield read_run_folder(self.path).note(process=identity())

    def working(self) -> RunFolder:
        """Note that this process works on the run, and remove what a killed one has left half written."""
        self.clean()
        return self.note(status="RUNNING", process=identity())

    def in_group(self, group: str | None) -> RunFolder:
        """Note the group of the tracker that the run belongs to, unless it has one."""
        return self if group is None or self.facts.get("group") else self.note(group=group)

    def clean(self) -> None:
        """Remove what a killed process has left half written."""
        for left in (*self.path.glob("tmp*"), *self.path.rglob(".*")):
            if left.is_dir():
                shutil.rmtree(left)
            elif left.name != LOCK:
                left.unlink(missing_ok=True)


def start_run_folder(path: Path, pipeline: Pipeline, seed: int, **more: Any) -> RunFolder:
    """Describe a fresh run in its folder."""
    facts = {
        "name": pipeline.name,
        "seed": seed,
        "fingerprint": fingerprint(pipeline),
        "defaults": DEFAULTS,
        "started": time.time_ns(),
        **more,
    }
    return RunFolder(path, facts).working()


@contextmanager
def exclusive(folder: Path, busy: Callable[[], str]) -> Iterator[None]:
    """Keep other processes out of a folder; the system lets go of the lock when this process dies.

    Raises:
        Busy: another process is in it, with the message of ``busy``.
    """
    lock = FileLock(folder / LOCK, timeout=LOCK_SECONDS)
    try:
        lock.acquire()
    except Timeout:
        raise Busy(busy()) from None
    try:
        yield
    finally:
        lock.release()


def _is_free(folder: Path) -> bool:
    """Say whether nobody has a folder for itself."""
    lock = FileLock(folder / LOCK, timeout=LOCK_SECONDS)
    try:
        lock.acquire()
    except Timeout:
        return False
    lock.release()
    return True


def still_busy(run: RunFolder) -> str:
    """Say that a process works on a run."""
    return f"run {run.run_id} is still being worked on by process {run.pid}; stop it before resuming"


def read_run_folder(folder: Path) -> RunFolder:
    """Read the description of a run.

    Raises:
        InputError: it is damaged.
    """
    path = folder / "run.json"
    try:
        facts = json.loads(path.read_text("utf-8"))
        missing = {"seed", "fingerprint", "started", "status", "process"} - facts.keys()
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: not the description of a run ({error})") from error
    if missing:
        raise InputError(f"{path}: not the description of a run ({', '.join(sorted(missing))} missing)")
    if not isinstance(facts["started"], int) or not isinstance(facts["process"], dict):
        raise InputError(f"{path}: not the description of a run ('started' is no integer or 'process' no table)")
    return RunFolder(folder, facts)
