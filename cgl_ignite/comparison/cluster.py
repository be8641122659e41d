"""Cells of a comparison as an array of jobs on a SLURM cluster, by submitit: submitted, watched and cancelled."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cgl_ignite.comparison.cells import ENDED, Cell
from cgl_ignite.comparison.executor import Event, MakeExecutor, Tell
from cgl_ignite.comparison.job import CellJob
from cgl_ignite.comparison.task import Task
from cgl_ignite.errors import InputError, first_line
from cgl_ignite.handlers.interruption import Interruption
from cgl_ignite.tracking.files import write_atomically

if TYPE_CHECKING:
    from submitit import AutoExecutor
    from submitit.core.core import Job

__all__ = ["ClusterExecutor", "cluster_executor"]

POLL_SECONDS, QUEUE_SECONDS = 1.0, 10.0
"""How often events are read, and how often the queue is looked at."""
LATE_SECONDS = 30.0
"""So long the last event of a job may need to arrive from another machine."""
CANCEL_SECONDS = 120.0
"""So long cancelled jobs may need to end; SLURM kills them before, 30 s after the cancellation by default."""


@dataclass
class Submitted:
    """A cell whose job has been submitted.

    Attributes:
        offset: so much of its events has been read.
        gone: since when its job has been missing in the queue.
    """

    cell: Cell
    job: Job[Any]
    events: Path
    offset: int = 0
    gone: float | None = None
    ended: bool = False

    def read(self) -> Iterator[Event]:
        """Yield the events that have come, whole lines only."""
        with suppress(FileNotFoundError), self.events.open("rb") as file:
            file.seek(self.offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self.offset += len(line)
                yield json.loads(line)


class ClusterExecutor:
    """Hands cells to a cluster, one job each, all in one array.

    Jobs that an earlier process has submitted, and that are still there, are watched again.

    Args:
        folder: of the comparison; all nodes must see it.
        tell: gets every event of a cell.
        options: of the jobs (:func:`cgl_ignite.comparison.cluster_options.read_options`).
        jobs: so many may run at a time; None sets no limit.
        cluster: of submitit: ``slurm``, or ``local`` for processes on this machine.

    Raises:
        InputError: submitit, or SLURM, is not there.
    """

    def __init__(
        self, folder: Path, tell: Tell, *, options: Mapping[str, Any], jobs: int | None = None, cluster: str = "slurm"
    ) -> None:
        self.folder, self.tell = folder / "jobs", tell
        self.cluster, self.threads = cluster, options.get("cpus_per_task")
        self.executor = _make_executor(self.folder, f"cgl_{folder.name}", options, jobs, cluster)
        self._known = self._read_known()
        self._interruption = Interruption()

    def going_on(self, cells: Sequence[Cell]) -> Sequence[Cell]:
        """Return the cells whose jobs, submitted by an earlier process, are still in the queue."""
        known = [cell for cell in cells if cell.label in self._known]
        queued = self._queued([self._job(cell) for cell in known])
        return [cell for cell in known if queued is None or self._known[cell.label] in queued]

    def work_off(self, tasks: Iterable[tuple[Cell, Task]]) -> None:
        """Submit tasks, and wait for the ends of their jobs.

        Raises:
            InputError: the cluster does not accept them.
            Interrupted: Ctrl-C or SIGTERM; the jobs are cancelled, their states saved.
        """
        given = list(tasks)
        old = self.going_on([cell for cell, _ in given])
        watched = [Submitted(cell, self._job(cell), self._events(cell)) for cell in old]
        with self._interruption.listening():
            try:
                watched += self._submit([(cell, task) for cell, task in given if cell not in old])
                self._watch(watched)
            finally:
                self._cancel([one for one in watched if not one.ended])
        self._interruption.check()

    def _submit(self, given: Sequence[tuple[Cell, Task]]) -> list[Submitted]:
        for cell, _ in given:
            self._events(cell).unlink(missing_ok=True)
        jobs: list[Job[Any]] = []
        with _refusals(), self.executor.batch():
            for cell, task in given:
                jobs.append(self.executor.submit(CellJob(task.line(), str(self._events(cell)), self.threads)))
        self._known |= {cell.label: job.job_id for (cell, _), job in zip(given, jobs, strict=True)}
        write_atomically(self.folder / "jobs.json", json.dumps(self._known, indent=1).encode())
        return [Submitted(cell, job, self._events(cell)) for (cell, _), job in zip(given, jobs, strict=True)]

    def _watch(self, watched: Sequence[Submitted]) -> None:
        """Pass events on until all jobs have ended, or a signal comes."""
        looked = time.monotonic()
        while self._interruption.received is None and not all(one.ended for one in watched):
            for one in watched:
                self._serve(one)
            if time.monotonic() - looked >= QUEUE_SECONDS:
                looked = time.monotonic()
                self._look([one for one in watched if not one.ended])
            time.sleep(POLL_SECONDS)

    def _serve(self, one: Submitted) -> None:
        for event in one.read():
            if event["event"] == "requeued":
                self.tell(one.cell, {"event": "note", "text": f"job {one.job.job_id} waits in the queue again"})
                continue
            one.ended = event["event"] in ENDED
            self.tell(one.cell, event)

    def _look(self, waiting: Sequence[Submitted]) -> None:
        """Notice jobs that have ended without a word."""
        queued = self._queued([one.job for one in waiting])
        for one in waiting:
            if queued is None or one.job.job_id in queued:
                one.gone = None
            elif one.gone is None:
                one.gone = time.monotonic()
            elif time.monotonic() - one.gone > LATE_SECONDS:
                one.ended = True
                output = f"what it said is in {one.job.paths.stderr}"
                reason = f"job {one.job.job_id} was cancelled or killed; {output}"
                self.tell(one.cell, {"event": "failed", "reason": reason})

    def _cancel(self, left: Sequence[Submitted]) -> None:
        """Cancel jobs, and wait until they have saved their states."""
        for one in left:
            one.job.cancel(check=False)
        deadline = time.monotonic() + CANCEL_SECONDS
        while left and self._queued([one.job for one in left]) != set() and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        for one in left:
            self._serve(one)
            if one.cell.status == "running":
                self.tell(one.cell, {"event": "interrupted"})

    def _queued(self, jobs: Sequence[Job[Any]]) -> set[str] | None:
        """Return the ids of those jobs that wait or run; None if nobody can tell at the moment."""
        if not jobs:
            return set()
        if self.cluster != "slurm":
            return {job.job_id for job in jobs if not job.done()}
        arrays = {job.job_id.partition("_")[0] for job in jobs}
        command = ["squeue", "--noheader", "--array", "--format=%i", "--user", _user()]
        try:
            told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
        except (OSError, subprocess.SubprocessError):
            return None
        return {job for job in told.split() if job.partition("_")[0] in arrays}

    def _job(self, cell: Cell) -> Job[Any]:
        job: Job[Any] = self.executor._executor.job_class(folder=self.folder, job_id=self._known[cell.label])
        return job

    def _events(self, cell: Cell) -> Path:
        return self.folder / f"{cell.key}.jsonl"

    def _read_known(self) -> dict[str, str]:
        with suppress(OSError, ValueError):
            return dict(json.loads((self.folder / "jobs.json").read_text("utf-8")))
        return {}


def cluster_executor(options: Mapping[str, Any], jobs: int | None) -> MakeExecutor:
    """Return what makes an executor that submits jobs with these options to SLURM.

    Raises:
        InputError: submitit is not installed.
    """
    _import_submitit()
    return lambda folder, tell: ClusterExecutor(folder, tell, options=options, jobs=jobs)


def _import_submitit() -> Any:
    try:
        import submitit
    except ImportError:
        raise InputError("--executor slurm needs the package submitit: pip install 'cgl_ignite[slurm]'") from None
    return submitit


def _make_executor(folder: Path, name: str, options: Mapping[str, Any], jobs: int | None, cluster: str) -> AutoExecutor:
    """Make submitit's executor.

    From SLURM 22.05 on, ``srun`` does not inherit the number of processors of its job, so it is told.
    """
    submitit = _import_submitit()
    more = dict(options)
    timeouts = {f"{cluster}_max_num_timeout": more.pop("max_num_timeout")}
    minutes = more.pop("time")
    if "cpus_per_task" in more:
        more["srun_args"] = [f"--cpus-per-task={more['cpus_per_task']}"]
    if jobs is not None:
        more["array_parallelism"] = jobs
    folder.mkdir(parents=True, exist_ok=True)
    try:
        executor: AutoExecutor = submitit.AutoExecutor(folder, cluster=cluster, **timeouts)
    except RuntimeError as error:
        raise InputError(f"--executor slurm: this machine cannot submit jobs to SLURM ({first_line(error)})") from error
    slurm = {f"slurm_{key}": value for key, value in more.items()}
    executor.update_parameters(name=name, timeout_min=minutes, **slurm)
    return executor


@contextmanager
def _refusals() -> Iterator[None]:
    """Say in one line that the cluster accepts no jobs, and why."""
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    try:
        yield
    except (FailedJobError, FailedSubmissionError, subprocess.CalledProcessError) as error:
        told = [line for line in str(error).splitlines() if "error:" in line]
        reason = told[-1].partition("error:")[2].strip() if told else first_line(error)
        raise InputError(f"--executor slurm: SLURM does not accept the jobs ({reason})") from error


def _user() -> str:
    import getpass

    return getpass.getuser()
