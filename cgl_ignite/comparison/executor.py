"""Where the cells of a comparison are worked off, if not in this process: what every such place has to offer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from cgl_ignite.comparison.cells import Cell
from cgl_ignite.comparison.task import Task

__all__ = ["Event", "Executor", "MakeExecutor", "Tell"]

Event = Mapping[str, Any]
Tell = Callable[[Cell, Event], None]


class Executor(Protocol):
    """Works off tasks in other processes, and tells what becomes of them.

    It tells every event of a cell: ``started``, ``progress``, ``note``, ``finished``, ``failed``, ``interrupted``.
    """

    def going_on(self, cells: Sequence[Cell]) -> Sequence[Cell]:
        """Return the cells that an earlier process has handed over and that are still worked on."""
        ...

    def work_off(self, tasks: Iterable[tuple[Cell, Task]]) -> None:
        """Work off tasks in their order; each is taken from ``tasks`` when there is room for it.

        Raises:
            InputError: the place does not accept them.
            Interrupted: Ctrl-C or SIGTERM; the state of every cell is saved.
        """
        ...


MakeExecutor: TypeAlias = Callable[[Path, Tell], Executor]
"""Gives an executor for the folder of a comparison."""
