"""The screens of ``cgl run``: a live one, plain lines where there is no terminal, and a silent one."""

from __future__ import annotations

import atexit
import time
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.segment import SegmentLines
from rich.text import Text

from cgl_ignite.cli.ending import results
from cgl_ignite.cli.frame import StudentTable, bars, facts, header, plain_line
from cgl_ignite.cli.output import SafeConsole
from cgl_ignite.cli.report import show_data
from cgl_ignite.display import NoScreen

if TYPE_CHECKING:
    from rich.console import RenderableType

    from cgl_ignite.data import DataReport
    from cgl_ignite.display import Screen, Summary
    from cgl_ignite.display.screen import Progress, Result

__all__ = ["LiveScreen", "PlainScreen", "QuietScreen", "make_screen"]

SECONDS, SHARE = 0.125, 0.01
"""The live screen is drawn anew at most so often, and takes at most this share of the time."""


def make_screen(quiet: bool = False, console: Console | None = None, *, brief: bool = False) -> Screen:
    """Return the screen that fits where stderr goes; ``brief``: the end of a run is told by somebody else."""
    console = console or SafeConsole(stderr=True, highlight=False)
    if quiet:
        return QuietScreen(console)
    live = console.is_terminal and not console.is_dumb_terminal
    screen = LiveScreen(console) if live else PlainScreen(console)
    screen.brief = brief
    return screen


class QuietScreen(NoScreen):
    """Shows warnings and nothing else."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def note(self, text: str) -> None:
        """Show a warning in one line."""
        self._line(Text.assemble(("note: ", "yellow"), text))

    def interrupted(self, resume: str = "") -> None:
        """Show the command that goes on, if there is one."""
        if resume:
            self._line(Text.assemble("the state is saved, go on with: ", (resume, "cyan")))

    def failed(self, reason: str = "") -> None:
        """Show why, if it is told."""
        if reason:
            self._line(Text(reason, "red"))

    def _line(self, text: Text) -> None:
        self.console.print(text, soft_wrap=True)


class PlainScreen(QuietScreen):
    """One line for each epoch, without control codes."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self.summary: Summary | None = None
        self.state: Progress | None = None
        self.started = 0.0
        self.first = 0
        self.brief = False
        self.shown = False

    def data(self, report: DataReport) -> None:
        """Show the data of the first run; the other seeds divide the same rows."""
        if not self.brief and not self.shown:
            show_data(report, self.console)
        self.shown = True

    def start(self, summary: Summary) -> None:
        """Say what begins."""
        self.summary, self.state, self.started = summary, None, time.monotonic()
        self._line(header(summary))
        training, holdout = summary.samples
        rows = f"{training:,} samples to learn from, {holdout:,} to select by, {summary.parameters:,} parameters"
        self._line(Text(rows, "dim"))

    def iteration(self, state: Progress) -> None:
        """Remember where the run stands."""
        if self.state is None:
            self.first = state.iteration - 1
        self.state = state

    def epoch(self, state: Progress) -> None:
        """Tell an epoch in one line."""
        self.state = state
        self._line(Text(plain_line(state, self._left())))

    def finish(self, result: Result, model: str | None = None) -> None:
        """Show the result, where everything is, and the commands to go on with."""
        if self.summary is not None and not self.brief:
            for line in results(self.summary, result, model):
                self._line(line)

    def interrupted(self, resume: str = "") -> None:
        """Say where the run was stopped, and how to go on."""
        self._line(Text(f"interrupted {self._place()}", "yellow"))
        super().interrupted(resume)

    def failed(self, reason: str = "") -> None:
        """Say where the run failed, and why."""
        self._line(Text(f"failed {self._place()}", "red"))
        super().failed(reason)

    def _place(self) -> str:
        state = self.state
        if state is None:
            return "before the first iteration"
        length = state.epoch_length or 1
        return f"in epoch {state.epoch} of {state.max_epochs}, after iteration {(state.iteration - 1) % length + 1}"

    def _left(self) -> float | None:
        """Estimate the seconds that are left from those that this process has taken."""
        if self.state is None:
            return None
        total = (self.state.epoch_length or 1) * (self.state.max_epochs or 1)
        done = self.state.iteration - self.first
        left = total - self.state.iteration
        return (time.monotonic() - self.started) / done * left if done > 0 else None


class LiveScreen(PlainScreen):
    """Bars and a table of students that stay in place; drawn by the training itself, without a thread."""

    def __init__(self, console: Console, seconds: float = SECONDS) -> None:
        super().__init__(console)
        self.seconds = seconds
        self.students = StudentTable()
        self._live: Live | None = None
        self._next = 0.0
        self._epoch_from = (0, 0, 0.0)
        self._table: tuple[tuple[int, int, int], SegmentLines] | None = None

    def start(self, summary: Summary) -> None:
        """Open the live part."""
        self._stop()
        super().start(summary)
        self.students, self._table, self._epoch_from, self._next = StudentTable(), None, (0, 0, 0.0), 0.0
        self._live = Live(console=self.console, auto_refresh=False)
        self._live.start()
        atexit.register(self._stop)

    def iteration(self, state: Progress) -> None:
        """Draw anew if it is time."""
        now = time.monotonic()
        if now < self._next:
            return
        super().iteration(state)
        if self._epoch_from[0] != state.epoch:
            self._epoch_from = (state.epoch, state.iteration, now)
        self._draw(state, now)

    def epoch(self, state: Progress) -> None:
        """Draw the students anew."""
        self.state = state
        self.students.update(state)
        self._draw(state, time.monotonic())

    def finish(self, result: Result, model: str | None = None) -> None:
        """Leave the last picture and show the result below it."""
        self._stop()
        super().finish(result, model)

    def interrupted(self, resume: str = "") -> None:
        """Leave the last picture, and say how to go on."""
        self._stop()
        super().interrupted(resume)

    def failed(self, reason: str = "") -> None:
        """Leave the last picture, and say why."""
        self._stop()
        super().failed(reason)

    def _draw(self, state: Progress, now: float) -> None:
        if self._live is None:
            return
        _, first, since = self._epoch_from
        rate = (state.iteration - first) / (now - since) if state.iteration > first and now > since else None
        measured = bool(self.students.history)
        parts: list[RenderableType] = [
            bars(state, now - self.started, self._left(), rate),
            facts(state, measured),
        ]
        if measured:
            parts += [self.students.leader(), Text(), self._drawn_table()]
        self._live.update(Group(*parts), refresh=True)
        drawn = time.monotonic()
        self._next = drawn + max(self.seconds, (drawn - now) / SHARE)

    def _drawn_table(self) -> SegmentLines:
        """The table as it was drawn last, unless an epoch or the size of the terminal has changed."""
        size = self.console.size
        key = (len(self.students.history), size.width, size.height)
        if self._table is None or self._table[0] != key:
            table = self.students.table(size.width, size.height)
            self._table = key, SegmentLines(self.console.render_lines(table, pad=False), new_lines=True)
        return self._table[1]

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
            atexit.unregister(self._stop)
