"""The screens of ``cgl compare``: how far the cells are, and the table at the end."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from cgl_ignite.analysis.columns import used_columns
from cgl_ignite.analysis.notes import notes
from cgl_ignite.cli.frame import duration
from cgl_ignite.cli.output import SafeConsole, cells
from cgl_ignite.cli.report import show_data
from cgl_ignite.display import NoBoard
from cgl_ignite.errors import escaped

if TYPE_CHECKING:
    from cgl_ignite.comparison.report import ComparisonReport
    from cgl_ignite.data import DataReport
    from cgl_ignite.display import Board, CellState

__all__ = ["LiveBoard", "PlainBoard", "QuietBoard", "make_board", "show_folder", "show_table"]

UNKNOWN_WIDTH = 100
"""Columns of the table where stdout is no terminal."""
PADDING = 2
"""Columns between two columns of the table: one is the line's."""
STYLES = {"finished": "green", "failed": "red", "interrupted": "yellow"}


def make_board(quiet: bool = False, live: bool = False, tuning: bool = False, console: Console | None = None) -> Board:
    """Return the board that fits where stderr goes.

    Args:
        quiet: show warnings and failures alone.
        live: several runs go on at a time.
        tuning: runs are chosen from, so the holdout accuracy of each is shown and not that on the test set.
        console: where to draw; stderr by default.
    """
    console = console or SafeConsole(stderr=True, highlight=False)
    if quiet:
        return QuietBoard(console)
    live = live and console.is_terminal and not console.is_dumb_terminal
    return LiveBoard(console, tuning) if live else PlainBoard(console, tuning)


class QuietBoard(NoBoard):
    """Shows warnings and failures, and nothing else."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def update(self, cell: CellState) -> None:
        """Tell a failure."""
        if cell.status == "failed":
            self.line(Text(f"{cell.label} failed: {cell.reason}", "red"))

    def note(self, text: str) -> None:
        """Show a warning in one line."""
        self.line(Text.assemble(("note: ", "yellow"), text))

    def line(self, text: Text) -> None:
        """Print one line that can be copied whole."""
        self.console.print(text, soft_wrap=True)


class PlainBoard(QuietBoard):
    """One line when a cell begins and when it ends, with its accuracy and the time that is left."""

    def __init__(self, console: Console, tuning: bool = False) -> None:
        super().__init__(console)
        self.tuning = tuning
        self.cells: Sequence[CellState] = ()
        self.work: Mapping[str, float] = {}
        self.started = 0.0
        self.before = 0.0
        self.begun: set[str] = set()

    def data(self, report: DataReport) -> None:
        """Show the data that all runs read."""
        show_data(report, self.console)

    def start(self, folder: Path, cells: Sequence[CellState], work: Mapping[str, float], jobs: int | None) -> None:
        """Say what is compared, and what is done already."""
        self.cells, self.work, self.started = cells, work, time.monotonic()
        self.before = self.done_work()
        methods = list(dict.fromkeys(cell.method for cell in cells))
        seeds = len(cells) // len(methods)
        done = self.count("finished")
        text = f"{', '.join(methods)} · {seeds} {'seed' if seeds == 1 else 'seeds'} each · {len(cells)} runs"
        text += f", {done} finished before" if done else ""
        text += f" · {jobs} at a time" if jobs not in (None, 1) else ""
        self.line(Text.assemble(("comparison ", "bold"), text))

    def update(self, cell: CellState) -> None:
        """Tell that a cell has begun or ended."""
        if cell.status == "running":
            if cell.label in self.begun:
                return
            self.begun.add(cell.label)
            self.line(Text.assemble((f"{self.counted()}  ", "dim"), f"{cell.label} begins"))
        else:
            text = Text.assemble((f"{self.counted()}  ", "dim"), f"{cell.label} ", (cell.status, STYLES[cell.status]))
            text.append(f": {cell.reason}" if cell.reason else "")
            part, accuracy = ("holdout", cell.holdout_accuracy) if self.tuning else ("test", cell.accuracy)
            text.append(f": {part} accuracy {accuracy:.2f} %" if accuracy is not None else "")
            left = self.left()
            self.line(text.append(f"  {duration(left)} left" if left else "", "dim"))

    def counted(self) -> str:
        """Say how many cells have ended."""
        return f"{self.count('finished') + self.count('failed')}/{len(self.cells)} runs"

    def count(self, *statuses: str) -> int:
        """Count the cells in one of these states."""
        return sum(cell.status in statuses for cell in self.cells)

    def done_work(self) -> float:
        """Add up the work that is done."""
        return sum(self.work[cell.method] * self.share(cell) for cell in self.cells)

    def left(self) -> float | None:
        """Estimate the seconds that are left from the work that this process has seen done."""
        done = self.done_work() - self.before
        left = sum(self.work[cell.method] * (1 - self.share(cell)) for cell in self.cells)
        return (time.monotonic() - self.started) / done * left if done > 0 else None

    @staticmethod
    def share(cell: CellState) -> float:
        """Tell how much of a cell needs no more time."""
        return 1.0 if cell.status == "failed" else cell.share


class LiveBoard(PlainBoard):
    """A bar for all cells and one for each that is running; drawn when something has changed, without a thread."""

    def __init__(self, console: Console, tuning: bool = False) -> None:
        super().__init__(console, tuning)
        columns = (TextColumn("{task.description}"), BarColumn(None), TextColumn("{task.fields[text]}"))
        self.progress = Progress(*columns, console=console, auto_refresh=False, expand=True)
        self.whole = TaskID(0)
        self.tasks: dict[str, TaskID] = {}

    def start(self, folder: Path, cells: Sequence[CellState], work: Mapping[str, float], jobs: int | None) -> None:
        """Open the live part."""
        super().start(folder, cells, work, jobs)
        total = sum(work[cell.method] for cell in cells)
        self.progress.start()
        self.whole = self.progress.add_task("[bold]comparison", total=total, text="")

    def update(self, cell: CellState) -> None:
        """Move the bars; a cell that has ended leaves a line."""
        if cell.status == "running":
            if cell.label not in self.tasks:
                self.tasks[cell.label] = self.progress.add_task(escape(escaped(cell.label)), total=1.0, text="")
            self.progress.update(self.tasks[cell.label], completed=cell.share, text=f"{cell.share:.0%}")
        else:
            if cell.label in self.tasks:
                self.progress.remove_task(self.tasks.pop(cell.label))
            super().update(cell)
        left = self.left()
        waiting = f"{self.counted()}, {self.count('running')} running, {self.count('waiting')} waiting"
        text = f"{waiting}, {duration(left)} left" if left else waiting
        self.progress.update(self.whole, completed=self.done_work(), text=text, refresh=True)

    def stop(self) -> None:
        """Leave the last picture."""
        self.progress.stop()


def show_table(report: ComparisonReport, *, stderr: bool, console: Console | None = None) -> None:
    """Print the table, with as many columns as fit, and what has to be known about it."""
    console = console or SafeConsole(stderr=stderr, highlight=False)
    if not console.is_terminal:
        console.width = UNKNOWN_WIDTH
    rows = report.rows
    columns = used_columns(rows, report.reference)
    shown = fitting(columns, console.width)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, PADDING - 1, 0, 0), show_edge=False, pad_edge=False)
    for place, (title, _, _) in enumerate(shown):
        table.add_column("\n".join(title), justify="right" if place else "left", no_wrap=True, vertical="bottom")
    for row in zip(*(column for _, column, _ in shown), strict=True):
        table.add_row(*cells(row))
    console.print(table)
    left_out = [" ".join(title).strip() for title, _, _ in columns if title not in [title for title, _, _ in shown]]
    more = [f"not shown for want of room: {', '.join(left_out)}"] if left_out else []
    for note in [*notes(rows, report.equal), *more]:
        console.print(Text(note, "dim"), soft_wrap=not console.is_terminal)


def fitting(
    columns: Sequence[tuple[tuple[str, str], list[str], int]], width: int
) -> list[tuple[tuple[str, str], list[str], int]]:
    """Leave out columns, the least important first, until the others fit."""
    shown = list(columns)
    while sum(max(map(len, (*title, *cells))) + PADDING for title, cells, _ in shown) - PADDING > width:
        spare = [column for column in shown if column[2]]
        if not spare:
            break
        shown.remove(min(spare, key=lambda column: column[2]))
    return shown


def show_folder(report: ComparisonReport) -> None:
    """Say on stderr where tables and figures are."""
    console = SafeConsole(stderr=True, highlight=False)
    console.print(Text.assemble(("tables, figures ", "dim"), str(report.folder)), soft_wrap=True)
