"""Cells of a comparison side by side: child processes that are fed, watched, stopped and, if they die, replaced."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from cgl_ignite.comparison.cells import ENDED, Cell
from cgl_ignite.comparison.executor import Event, MakeExecutor, Tell
from cgl_ignite.comparison.task import Task
from cgl_ignite.handlers.interruption import Interruption

__all__ = ["WorkerPool", "child_environments", "worker_pool"]

POLL_SECONDS, PATIENCE_SECONDS = 0.25, 20.0
"""How often signals are looked for, and how long a second signal lets the children end by themselves."""


class Worker:
    """A child process with the cell that it works on."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cgl_ignite.comparison.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        self.log = log
        self.cell: Cell | None = None
        self._rest = b""

    def give(self, cell: Cell, task: Task) -> None:
        """Hand over a task; a process that is gone already is noticed when its events end."""
        self.cell = cell
        if self.process.stdin is not None:
            with suppress(BrokenPipeError):
                self.process.stdin.write(f"{task.line()}\n".encode())
                self.process.stdin.flush()

    def events(self) -> list[Event] | None:
        """Read what has come; None at the end."""
        content = os.read(self.fileno(), 65536)
        *lines, self._rest = (self._rest + content).split(b"\n")
        return [json.loads(line) for line in lines] if content else None

    def fileno(self) -> int:
        """Return what to wait for."""
        return self.process.stdout.fileno() if self.process.stdout else -1

    def ended(self) -> str:
        """Wait for the end of a process that closed its events, and say how it ended."""
        code = self.process.wait()
        self.release()
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return f"its process ended with {how}; what it said is in {self.log}"

    def close(self) -> None:
        """Let it end when its task is done."""
        if self.process.stdin is not None:
            with suppress(BrokenPipeError):
                self.process.stdin.close()

    def release(self) -> None:
        """Close the pipes to a process that has ended, or that nobody listens to any more."""
        self.close()
        if self.process.stdout is not None:
            self.process.stdout.close()


class WorkerPool:
    """Workers that take tasks until there are none.

    Args:
        environments: variables of each child process; there are as many children as of these.
        logs: the folder for what the children write to stderr.
        tell: gets every event of a cell: ``progress``, ``note``, ``finished``, ``failed``, ``interrupted``.
    """

    def __init__(self, environments: Sequence[Mapping[str, str]], logs: Path, tell: Tell) -> None:
        self.slots = [(variables, logs / f"worker-{slot}.txt") for slot, variables in enumerate(environments)]
        self.tell = tell
        self._waiting: Iterator[tuple[Cell, Task]] = iter(())
        self._interruption = Interruption()
        self._selector = selectors.DefaultSelector()

    def going_on(self, cells: Sequence[Cell]) -> Sequence[Cell]:
        """Return none: without its parent, a child stops."""
        return ()

    def work_off(self, tasks: Iterable[tuple[Cell, Task]]) -> None:
        """Work off tasks in their order; each is taken when a child is free.

        Raises:
            Interrupted: Ctrl-C or SIGTERM; every child has saved its state.
        """
        self._waiting = iter(tasks)
        told = False
        with self._interruption.listening(), self._selector:
            try:
                for slot in self.slots:
                    self._start(slot)
                while self._selector.get_map():
                    for key, _ in self._selector.select(POLL_SECONDS):
                        self._serve(key)
                    if self._interruption.received is not None and not told:
                        told = True
                        self._waiting = iter(())
                        self._terminate()
            finally:
                self._end()
        self._interruption.check()

    def _start(self, slot: tuple[Mapping[str, str], Path]) -> None:
        """Start a child in a slot, if there is something to do."""
        if (following := next(self._waiting, None)) is not None:
            worker = Worker(*slot)
            self._selector.register(worker, selectors.EVENT_READ, slot)
            self._give(worker, following)

    def _give(self, worker: Worker, following: tuple[Cell, Task] | None) -> None:
        if following is None:
            worker.cell = None
            worker.close()
            return
        worker.give(*following)
        self.tell(following[0], {"event": "started"})

    def _serve(self, key: selectors.SelectorKey) -> None:
        """Pass the events of a child on; one that has ended is replaced."""
        worker: Any = key.fileobj
        events = worker.events()
        for event in events or ():
            if worker.cell is not None:
                self.tell(worker.cell, event)
            if event["event"] in ENDED:
                self._give(worker, next(self._waiting, None))
        if events is None:
            self._selector.unregister(worker)
            how = worker.ended()
            if worker.cell is not None and worker.cell.status == "running":
                stopped = self._interruption.received is not None
                self.tell(worker.cell, {"event": "interrupted"} if stopped else {"event": "failed", "reason": how})
            self._start(key.data)

    def _workers(self) -> list[Worker]:
        return [key.fileobj for key in (self._selector.get_map() or {}).values() if isinstance(key.fileobj, Worker)]

    def _terminate(self) -> None:
        for worker in self._workers():
            worker.process.terminate()

    def _end(self) -> None:
        """Leave no child behind, whatever has happened here."""
        self._terminate()
        for worker in self._workers():
            worker.close()
            try:
                worker.process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                worker.process.kill()
            worker.release()


def worker_pool(jobs: int, device: torch.device) -> MakeExecutor:
    """Return what makes a pool of so many children, each with its share of the threads, or a GPU of its own."""
    environments = child_environments(jobs, device)
    return lambda folder, tell: WorkerPool(environments, folder / "logs", tell)


def child_environments(jobs: int, device: torch.device) -> list[dict[str, str]]:
    """Divide threads and GPUs among child processes: an equal share of the threads, and each in turn the next GPU."""
    threads = str(max(1, torch.get_num_threads() // max(jobs, 1)))
    shares = [{"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads} for _ in range(jobs)]
    gpus = _visible_gpus() if device.type == "cuda" else []
    for child, share in enumerate(shares if len(gpus) > 1 else ()):
        share["CUDA_VISIBLE_DEVICES"] = gpus[child % len(gpus)]
    return shares


def _visible_gpus() -> list[str]:
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return named.split(",") if named else [str(number) for number in range(torch.cuda.device_count())]
