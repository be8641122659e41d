"""What a comparison tells the person in front of it; drawn by :mod:`cgl_ignite.cli.board`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cgl_ignite.data import DataReport

__all__ = ["Board", "CellState", "NoBoard"]

_LOG = logging.getLogger("cgl_ignite")


class CellState(Protocol):
    """How far one run of a comparison is: what is read of :class:`cgl_ignite.comparison.cells.Cell`."""

    @property
    def method(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def share(self) -> float: ...
    @property
    def accuracy(self) -> float | None: ...
    @property
    def holdout_accuracy(self) -> float | None: ...


class Board(Protocol):
    """Shows a comparison while it goes on."""

    def data(self, report: DataReport) -> None:
        """Show what all runs read."""
        ...

    def start(self, folder: Path, cells: Sequence[CellState], work: Mapping[str, float], jobs: int | None) -> None:
        """Show what begins; ``work``: multiply-adds of a run, by method; ``jobs``: runs at a time, if it is known."""
        ...

    def update(self, cell: CellState) -> None:
        """Show that a cell has changed."""
        ...

    def note(self, text: str) -> None:
        """Show one line: a warning, or something worth knowing."""
        ...

    def stop(self) -> None:
        """Leave the last picture."""
        ...


class NoBoard:
    """Shows nothing but notes and failures, in the log of the package."""

    def data(self, report: DataReport) -> None:
        """Say nothing."""

    def start(self, folder: Path, cells: Sequence[CellState], work: Mapping[str, float], jobs: int | None) -> None:
        """Say nothing."""

    def update(self, cell: CellState) -> None:
        """Tell a failure."""
        if cell.reason:
            _LOG.warning("%s %s: %s", cell.label, cell.status, cell.reason)

    def note(self, text: str) -> None:
        """Log a warning."""
        _LOG.warning(text)

    def stop(self) -> None:
        """Do nothing."""
