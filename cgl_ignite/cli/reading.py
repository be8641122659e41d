"""How far long work has come, such as the encoding of texts: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.errors import LiveError
from rich.progress import BarColumn, Progress, TextColumn

from cgl_ignite.cli.frame import duration
from cgl_ignite.cli.output import SafeConsole
from cgl_ignite.progress import ProgressReport, watching

__all__ = ["Reading", "reading"]

_SHOWN_AFTER = 1.0
_LINE_EVERY = 10.0
_LEAST_RATE = 10
"""Below so many units a second the time that is left says enough."""


@contextmanager
def reading(*, quiet: bool) -> Iterator[None]:
    """Show on stderr what takes longer than a second, while the block runs."""
    shown = Reading(SafeConsole(stderr=True, quiet=quiet), time.monotonic)
    try:
        with watching(shown):
            yield
    finally:
        shown.close()


class Reading:
    """Shows the reports of one piece of work after the other.

    Args:
        console: where.
        clock: tells the seconds.
    """

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        self._console = console
        self._clock = clock
        self._doing = ""
        self._started = self._spoken = 0.0
        self._bar: Progress | None = None

    def __call__(self, report: ProgressReport) -> None:
        """Take a report."""
        now = self._clock()
        if report.doing != self._doing:
            self.close()
            self._doing, self._started, self._spoken = report.doing, now, now
        passed = now - self._started
        if report.done == 1:
            self.close()
        elif self._console.is_terminal and passed > _SHOWN_AFTER:
            self._draw(report, passed)
        elif not self._console.is_terminal and now - self._spoken >= _LINE_EVERY:
            self._spoken = now
            self._console.print(f"{report.doing}: {_facts(report, passed)}", highlight=False, markup=False)

    def close(self) -> None:
        """Take the bar off the screen."""
        if self._bar:
            self._bar.stop()
        self._bar, self._doing = None, ""

    def _draw(self, report: ProgressReport, passed: float) -> None:
        if self._bar is None:
            columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.fields[facts]}"))
            bar = Progress(*columns, console=self._console, transient=True)
            bar.add_task(report.doing, total=None if report.done is None else 1.0, facts="")
            try:
                bar.start()
            except LiveError:  # the screen of the run is there, and has no room for a second one
                return
            self._bar = bar
        self._bar.update(self._bar.task_ids[0], completed=report.done or 0, facts=_facts(report, passed))


def _facts(report: ProgressReport, passed: float) -> str:
    facts = [f"{report.number:,} {report.unit}"]
    if passed and report.number >= _LEAST_RATE * passed:
        facts.append(f"{report.number / passed:,.0f} {report.unit}/s")
    if report.done:
        facts += [f"{report.done:.0%}", f"{duration(passed * (1 - report.done) / report.done)} left"]
    return ", ".join(facts)
