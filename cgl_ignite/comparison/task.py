"""One cell of a comparison as a task that any process can take, and how it is worked off."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.dump import values
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.display import Screen
from cgl_ignite.errors import CglError, escaped_lines, shortage
from cgl_ignite.pipeline.active import RunContext
from cgl_ignite.pipeline.data import RunData, refuse_changed_data
from cgl_ignite.pipeline.device import cpu_threads, find_device
from cgl_ignite.pipeline.find import take_run
from cgl_ignite.pipeline.result import RunResult, read_result
from cgl_ignite.pipeline.teachers import identify_files
from cgl_ignite.pipeline.train import run_seed
from cgl_ignite.tracking import Tracker

__all__ = ["Task", "finished", "reason_of"]


@dataclass(frozen=True)
class Task:
    """A cell: plain values only, so that it can be sent to another process.

    Attributes:
        pipeline: its effective values.
        tags: ``method`` and ``comparison``, by which its run is found again.
        group: the run of the tracker that it belongs to.
        data: what the comparison reads.
        source: what the comparison was started by.
        paths: where Python looks for plugins.
    """

    pipeline: Mapping[str, Any]
    seed: int
    tags: Mapping[str, str]
    group: str | None
    data: Mapping[str, str]
    source: Mapping[str, str]
    paths: tuple[str, ...]

    @classmethod
    def of(
        cls,
        pipeline: Pipeline,
        seed: int,
        tags: Mapping[str, str],
        group: str | None,
        data: Mapping[str, str],
        source: Mapping[str, str],
    ) -> Task:
        """Write a task down."""
        return cls(values(pipeline), seed, tags, group, data, source, tuple(sys.path))

    @classmethod
    def read(cls, line: str) -> Task:
        """Read a task that :meth:`line` wrote."""
        return cls(**json.loads(line))

    def line(self) -> str:
        """Write the task as one line of JSON."""
        return json.dumps(asdict(self))

    def load(self) -> Pipeline:
        """Return its pipeline."""
        sys.path.extend(path for path in self.paths if path not in sys.path)
        return load_pipeline(self.pipeline)

    def run(
        self,
        pipeline: Pipeline,
        data: RunData,
        tracker: Tracker,
        screen: Screen | None,
        warn: Callable[[str], None],
    ) -> RunResult:
        """Train the cell, or go on with it where it was stopped.

        Raises:
            InputError: the data are not those of the comparison.
        """
        refuse_changed_data(self.data, data.identity, f"comparison {self.tags['comparison']}", "start it again")
        runs = pipeline.tracking.folder.expanduser().absolute() / "runs"
        device = find_device(pipeline.run.device)
        context = RunContext(pipeline, data, device, runs, tracker, self.group, screen, warn, self.tags, self.source)
        with ExitStack() as held, cpu_threads(pipeline.run.threads):
            files = identify_files(pipeline)
            again = take_run(held, runs, pipeline, self.seed, data.identity, files, **self.tags)
            return read_result(again.result) if again and again.complete else run_seed(context, self.seed, again)


def finished(result: RunResult) -> dict[str, Any]:
    """Tell the end of a cell; the rest is in the run's folder."""
    return {
        "event": "finished",
        "run_id": result.run_id,
        "accuracy": result.test_accuracy,
        "holdout_accuracy": result.holdout_accuracy,
    }


def reason_of(error: Exception, log: Path | None = None) -> str:
    """Say in one line why a cell failed; what nobody foresaw leaves its traceback in ``log``, or on stderr."""
    if isinstance(error, CglError):
        return str(error)
    if missing := shortage(error):
        return missing.in_training()
    text = "".join(traceback.format_exception(error))
    if log is None:
        sys.stderr.write(escaped_lines(text))
    else:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            file.write(text)
    return f"{type(error).__name__}: {error}".splitlines()[0]
