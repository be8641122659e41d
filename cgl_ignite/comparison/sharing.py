"""The cells of a comparison, worked off by this process and, at the same time, by others that share its folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from cgl_ignite.comparison.cells import Cell
from cgl_ignite.comparison.claims import Claims
from cgl_ignite.comparison.task import Task

__all__ = ["POLL_SECONDS", "SharedCells"]

POLL_SECONDS, PUBLISH_SECONDS = 1.0, 2.0
"""How often the cells of other processes are looked at, and how often progress is written for them at most."""


class SharedCells:
    """Takes the cells that nobody works on, and follows those that others work on.

    Args:
        folder: of the comparison.
        show: gets a cell of another process that has changed.
    """

    def __init__(self, folder: Path, show: Callable[[Cell], None]) -> None:
        self.claims = Claims(folder)
        self.show = show
        self._published = 0.0

    def work_off(
        self,
        cells: Sequence[Cell],
        work: Callable[[Iterable[tuple[Cell, Task]]], None],
        task: Callable[[Cell], Task],
        goes_on: Callable[[], bool] = lambda: True,
    ) -> None:
        """Work until every cell has ended, here or elsewhere, or as long as ``goes_on`` says so."""
        try:
            while left := [cell for cell in cells if not cell.ended]:
                work(self._free(left, task))
                for cell in left:
                    self._look(cell)
                if all(cell.ended for cell in left) or not goes_on():
                    return
                time.sleep(POLL_SECONDS)
        finally:
            self.claims.release_all()

    def publish(self, cell: Cell) -> None:
        """Let others know how far a cell of this process is, and let go of it when it has ended."""
        now = time.monotonic()
        if not self.claims.holds(cell) or (0 < cell.share < 1 and now < self._published + PUBLISH_SECONDS):
            return
        self._published = now
        self.claims.publish(cell)
        if cell.status != "running":
            self.claims.release(cell)

    def _free(self, cells: Sequence[Cell], task: Callable[[Cell], Task]) -> Iterator[tuple[Cell, Task]]:
        """Take one free cell after the other, each when it is asked for."""
        for cell in cells:
            if not cell.ended and self.claims.take(cell):
                if self._adopt(cell):
                    self.claims.release(cell)
                else:
                    yield cell, task(cell)

    def _look(self, cell: Cell) -> None:
        """Take over how far a cell is that another process works on, or has worked on."""
        if cell.ended:
            return
        if self.claims.elsewhere(cell):
            state = self.claims.read(cell)
            if state is not None and state.status == "running" and state != cell:
                self._take_over(cell, state)
        elif not self._adopt(cell) and cell.status == "running":
            cell.status = "interrupted"
            self.show(cell)

    def _adopt(self, cell: Cell) -> bool:
        """Take over the end of a cell that another process has brought to it."""
        state = self.claims.read(cell)
        if state is None or not state.ended:
            return False
        self._take_over(cell, state)
        return True

    def _take_over(self, cell: Cell, state: Cell) -> None:
        for name, value in asdict(state).items():
            setattr(cell, name, value)
        self.show(cell)
