"""A process that works off cells of a comparison: one task a line on stdin, one event a line on stdout."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, TextIO

from cgl_ignite.comparison.datasets import DataStore
from cgl_ignite.comparison.task import Task, finished, reason_of
from cgl_ignite.display import NoScreen
from cgl_ignite.errors import Interrupted
from cgl_ignite.tracking import Tracker, locate, make_tracker

if TYPE_CHECKING:
    from cgl_ignite.display import Summary
    from cgl_ignite.display.screen import Progress

__all__ = ["Reporter", "Workplace", "main"]

SECONDS = 0.5
"""How often a child process tells its progress at most."""


class Reporter(NoScreen):
    """A screen that tells the parent; when the parent is gone, the run is stopped and saved.

    Args:
        file: gets one event a line.
        seconds: progress is told at most so often.
    """

    def __init__(self, file: TextIO, seconds: float = SECONDS) -> None:
        self.file = file
        self.seconds = seconds
        self._next = 0.0
        self._later = 0

    def say(self, event: str, **facts: Any) -> None:
        """Write one event."""
        try:
            self.file.write(json.dumps({"event": event, **facts}) + "\n")
            self.file.flush()
        except BrokenPipeError:
            os.kill(os.getpid(), signal.SIGTERM)

    def start(self, summary: Summary) -> None:
        """Tell that a stage of the training begins; epochs of a distillation at the end come later."""
        distil = summary.pipeline.distil
        self._later = 0 if distil is None else distil.epochs
        if summary.resumed or not summary.distillation:
            self.say("progress", share=summary.resumed / (summary.epochs + self._later))

    def iteration(self, state: Progress) -> None:
        """Tell how far it is, now and then."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + self.seconds
            epochs = (state.max_epochs or 1) + self._later
            self.say("progress", share=state.iteration / ((state.epoch_length or 1) * epochs))

    def note(self, text: str) -> None:
        """Pass a warning on."""
        self.say("note", text=text)


class Workplace:
    """What the tasks of one process share: the tracker, and the data set that was read last."""

    def __init__(self, reporter: Reporter) -> None:
        self.reporter = reporter
        self.tracker: Tracker | None = None
        self.data = DataStore()

    def work(self, line: str) -> None:
        """Work off one task and tell how it ended."""
        try:
            task = Task.read(line)
            pipeline = task.load()
            store = locate(pipeline.tracking.folder, pipeline.tracking.uri)
            self.tracker = self.tracker or make_tracker(store, self.reporter.note)
            data = self.data.read(pipeline)
            self.reporter.say("progress", share=0.0)
            result = task.run(pipeline, data, self.tracker, self.reporter, self.reporter.note)
        except (Interrupted, KeyboardInterrupt):
            self.reporter.say("interrupted")
            sys.exit(Interrupted.exit_code)
        except Exception as error:  # noqa: BLE001  the other cells go on, whatever became of this one
            self.reporter.say("failed", reason=reason_of(error))
        else:
            self.reporter.say(**finished(result))


def main() -> None:
    """Work off tasks until stdin ends; whatever else is printed goes to stderr."""
    workplace = Workplace(Reporter(os.fdopen(os.dup(1), "w", encoding="utf-8")))
    os.dup2(2, 1)
    for line in sys.stdin:
        workplace.work(line)


if __name__ == "__main__":
    main()
