"""The folders of the runs: what stands in ``<tracking folder>/runs/<run id>/``, and how a run is found."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from cgl_ignite.errors import InputError
from cgl_ignite.tracking.files import write_atomically
from cgl_ignite.tracking.process import gone, identity

__all__ = [
    "PREDICTIONS",
    "RunFolder",
    "all_runs",
    "exclusive",
    "find_run",
    "finished_run",
    "start_run_folder",
    "take_run",
    "unfinished_run",
]

LOCK, LOCK_SECONDS = ".lock", 0.5
"""How long a process waits for a lock: longer than another one takes to look at a run that has ended."""
PREDICTIONS = "test_predictions.npz"


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
        """Whether a process may still be working on it."""
        return self.facts["status"] == "RUNNING" and not gone(self.facts["process"])

    def has_read(self, data: Mapping[str, str] | None) -> bool:
        """Whether it has read these data, as far as it is known."""
        return None in (data, self.facts.get("data")) or self.facts["data"] == data

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
        with exclusive(self.path, lambda: _busy(_read(self.path))):
            yield _read(self.path).note(process=identity())

    def working(self) -> RunFolder:
        """Note that this process works on the run, and remove what a killed one has left half written."""
        self.clean()
        return self.note(status="RUNNING", process=identity())

    def clean(self) -> None:
        """Remove what a killed process has left half written."""
        for left in (*self.path.glob("tmp*"), *self.path.rglob(".*")):
            if left.is_dir():
                shutil.rmtree(left)
            elif left.name != LOCK:
                left.unlink(missing_ok=True)


def start_run_folder(path: Path, name: str, seed: int, fingerprint: str, **more: Any) -> RunFolder:
    """Describe a fresh run in its folder."""
    facts = {"name": name, "seed": seed, "fingerprint": fingerprint, "started": time.time_ns(), **more}
    return RunFolder(path, facts).working()


def unfinished_run(
    runs: Path, fingerprint: str, seed: int, data: Mapping[str, str] | None = None, **tags: str
) -> RunFolder | None:
    """Find the run that ``--resume`` goes on with: the newest unfinished one, else the newest of all.

    ``data``: only one that has read these; ``tags``: only one that was started with these.

    Raises:
        InputError: that run is being worked on by another process.
    """
    same = [run for run in _newest_first(runs) if (run.facts["fingerprint"], run.facts["seed"]) == (fingerprint, seed)]
    same = [run for run in same if tags.items() <= run.facts.items() and run.has_read(data)]
    same = [run for run in same if run.result.exists() or run.checkpoint.exists()]
    found = next((run for run in same if not run.complete), same[0] if same else None)
    if found is not None and not found.complete and found.alive:
        raise InputError(_busy(found))
    return found


def take_run(
    held: ExitStack, runs: Path, fingerprint: str, seed: int, data: Mapping[str, str] | None = None, **tags: str
) -> RunFolder | None:
    """Find the run to go on with, as :func:`unfinished_run`, and keep other processes out of it while ``held``."""
    found = unfinished_run(runs, fingerprint, seed, data, **tags)
    return found if found is None or found.complete else held.enter_context(found.locked())


@contextmanager
def exclusive(folder: Path, busy: Callable[[], str]) -> Iterator[None]:
    """Keep other processes out of a folder; the system lets go of the lock when this process dies.

    Raises:
        InputError: another process is in it, with the message of ``busy``.
    """
    lock = FileLock(folder / LOCK, timeout=LOCK_SECONDS)
    try:
        lock.acquire()
    except Timeout:
        raise InputError(busy()) from None
    try:
        yield
    finally:
        lock.release()


def finished_run(runs: Path, fingerprint: str, seed: int, data: Mapping[str, str] | None = None) -> RunFolder | None:
    """Find the newest finished run of any comparison with these numbers and data."""
    same = [run for run in _newest_first(runs) if (run.facts["fingerprint"], run.facts["seed"]) == (fingerprint, seed)]
    same = [run for run in same if "comparison" in run.facts and run.has_read(data)]
    return next((run for run in same if run.complete), None)


def find_run(runs: Path, which: str) -> RunFolder:
    """Find a run by id, by the beginning of its id, by ``latest``, by its folder or by its checkpoint.

    Raises:
        InputError: no run, or more than one.
    """
    path = Path(which)
    place = path.parent if path.is_file() else path
    if (place / "run.json").is_file():
        return _read(place)
    known = list(all_runs(runs))
    if not known:
        raise InputError(f"no run {which!r}: there are no runs in {runs}")
    if which == "latest":
        return known[0]
    found = [run for run in known if which and run.run_id.startswith(which)]
    if len(found) != 1:
        many = f"{len(found)} runs begin with it" if found else f"the newest run in {runs} is {known[0].run_id}"
        raise InputError(f"no run {which!r}: {many}; a run is given by its id, 'latest', its folder or its checkpoint")
    return found[0]


def all_runs(runs: Path) -> Iterator[RunFolder]:
    """Yield every run of a folder, newest first; a damaged description is passed over."""
    found = []
    for path in runs.glob("*/run.json"):
        with suppress(InputError):
            found.append(_read(path.parent))
    yield from sorted(found, key=lambda run: -int(run.facts["started"]))


def _busy(run: RunFolder) -> str:
    return f"run {run.run_id} is still being worked on by process {run.pid}; stop it before resuming"


def _newest_first(runs: Path) -> Iterator[RunFolder]:
    folders = [_read(path.parent) for path in runs.glob("*/run.json")]
    yield from sorted(folders, key=lambda run: -int(run.facts["started"]))


def _read(folder: Path) -> RunFolder:
    path = folder / "run.json"
    try:
        facts = json.loads(path.read_text("utf-8"))
        missing = {"seed", "fingerprint", "started", "status", "process"} - facts.keys()
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: not the description of a run ({error})") from error
    if missing:
        raise InputError(f"{path}: not the description of a run ({', '.join(sorted(missing))} missing)")
    return RunFolder(folder, facts)
