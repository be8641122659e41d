"""The cells of a comparison, worked off in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cgl_ignite.comparison.cells import Cell
from cgl_ignite.comparison.datasets import DataStore
from cgl_ignite.comparison.executor import Tell
from cgl_ignite.comparison.task import Task, finished, reason_of
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.display import Screen
from cgl_ignite.errors import Interrupted
from cgl_ignite.tracking import Tracker

__all__ = ["InProcess"]


@dataclass(frozen=True)
class InProcess:
    """Runs one cell after the other, and tells what becomes of each.

    Attributes:
        errors: the file that takes the traceback of an error that nobody has foreseen.
    """

    pipelines: Mapping[str, Pipeline]
    data: DataStore
    tracker: Tracker
    screen: Screen | None
    note: Callable[[str], None]
    tell: Tell
    errors: Path

    def work_off(self, tasks: Iterable[tuple[Cell, Task]]) -> None:
        """Work off tasks in their order.

        Raises:
            Interrupted: Ctrl-C or SIGTERM; the state is saved.
        """
        for cell, task in tasks:
            self.tell(cell, {"event": "started"})
            pipeline = self.pipelines[cell.method]
            try:
                result = task.run(pipeline, self.data.read(pipeline), self.tracker, self.screen, self.note)
            except (Interrupted, KeyboardInterrupt):
                self.tell(cell, {"event": "interrupted"})
                raise
            except Exception as error:  # noqa: BLE001  the other cells go on, whatever became of this one
                self.tell(cell, {"event": "failed", "reason": reason_of(error, self.errors)})
            else:
                self.tell(cell, finished(result))
