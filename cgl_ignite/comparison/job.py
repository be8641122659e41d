"""A cell as a job of a cluster: it is worked off on some node, and goes on after it has been preempted."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING

import torch

from cgl_ignite.comparison.worker import Reporter, Workplace
from cgl_ignite.handlers.interruption import terminable

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission

__all__ = ["CellJob"]

PROGRESS_SECONDS = 5.0
"""Progress is written at most so often, as the file may be on another machine."""


@dataclass
class CellJob:
    """What submitit runs on a node: works off one task, and writes its events to a file.

    The warning before the end of its time, or before it is preempted, takes the way of SIGTERM: the run is saved after
    the iteration. Then the job asks to be queued again. SIGTERM alone does the same, as long as SLURM counts the job
    as running; one that is cancelled or queued again by SLURM itself just ends.

    Args:
        line: the task (:meth:`cgl_ignite.comparison.task.Task.line`).
        events: the file, one event a line.
        threads: of PyTorch; None leaves them as they are.
    """

    line: str
    events: str
    threads: int | None = None

    def __call__(self) -> None:
        """Work off the task."""
        warning = _Warning()
        if self.threads is not None:
            torch.set_num_threads(self.threads)
        with open(self.events, "a", encoding="utf-8", opener=_synchronous) as file:
            reporter = Reporter(file, PROGRESS_SECONDS)
            reporter.say("started")
            try:
                with terminable():
                    Workplace(reporter).work(self.line)
            except SystemExit:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                if warning.received or _is_running():
                    reporter.say("requeued")
                    warning.pass_on()
                raise

    def checkpoint(self) -> DelayedSubmission:
        """Return what is to be run after the job was queued again: the same task, which finds its run."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def _synchronous(path: str, flags: int) -> int:
    """Open a file whose lines other machines see at once."""
    return os.open(path, flags | os.O_SYNC, 0o666)


class _Warning:
    """The signal that submitit listens to, held back until the state of the run is saved."""

    def __init__(self) -> None:
        from submitit import JobEnvironment

        self.received = False
        self.number = signal.Signals[f"SIG{JobEnvironment.USR_SIG}"]
        self._submitit = signal.signal(self.number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = True
        signal.raise_signal(signal.SIGTERM)

    def pass_on(self) -> None:
        """Let submitit queue the job again, and end it."""
        if callable(self._submitit):
            self._submitit(self.number, None)


def _is_running() -> bool:
    """Say whether SLURM wants this job to run: it has been warned, but neither cancelled nor queued again."""
    job, array = os.environ.get("SLURM_JOB_ID"), os.environ.get("SLURM_ARRAY_JOB_ID")
    if job is None:
        return False
    if array is not None:  # the last job of an array has the id of the whole array
        job = f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    command = ["squeue", "--noheader", f"--jobs={job}", "--format=%T"]
    with suppress(OSError, subprocess.SubprocessError):
        told = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
        return told.strip() == "RUNNING"
    return False
