"""The parts of the live screen: bars, the table of students, the line of an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from statistics import fmean
from typing import TYPE_CHECKING

from rich import box
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from cgl_ignite.display import Summary
    from cgl_ignite.display.screen import Progress

__all__ = ["StudentTable", "bars", "duration", "facts", "header", "plain_line"]

MODULE_STYLES = tuple(
    f"{ink} on {color}"
    for ink, color in (
        ("#10222e", "#56B4E9"),
        ("#2b1d00", "#E69F00"),
        ("#ffffff", "#007a59"),
        ("#2e1526", "#CC79A7"),
        ("#2b2a00", "#F0E442"),
        ("#ffffff", "#0072B2"),
        ("#ffffff", "#B04E00"),
        ("#1c1c1c", "#999999"),
    )
)
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
BLOCKS = "▁▂▃▄▅▆▇█"
TREND = 16
FIXED_WIDTH, TREND_FROM = 42, 90
OTHER_LINES = 12
"""Lines of the screen beside the rows of the table."""


def header(summary: Summary) -> Text:
    """Say what is running."""
    text = Text.assemble((summary.pipeline.name, "bold"), no_wrap=True, overflow="ellipsis")
    students = f"{summary.students} students" if summary.students > 1 else "1 student"
    parts = [
        summary.method,
        students,
        summary.pipeline.data.kind,
        summary.pipeline.backbone.kind,
        f"seed {summary.seed}",
        summary.device,
    ]
    for part in parts:
        text.append(" · ", "dim").append(part)
    if summary.distillation:
        text.append("  distillation", "green")
    if summary.resumed:
        text.append(f"  resumed after epoch {summary.resumed}", "yellow")
    return text


def bars(state: Progress, elapsed: float, left: float | None, rate: float | None) -> Table:
    """Draw how far the run and its epoch are."""
    length, epochs = state.epoch_length or 1, state.max_epochs or 1
    inside = (state.iteration - 1) % length + 1 if state.iteration else 0
    table = Table.grid(padding=(0, 1), expand=True)
    for ratio in (None, None, 1, None):
        table.add_column(ratio=ratio, no_wrap=True)
    times = f"{duration(elapsed)} passed, {duration(left) if left is not None else '?'} left"
    speed = f"{rate:.1f} iterations/s" if rate is not None else ""
    whole = ProgressBar(epochs * length, state.iteration, complete_style="cyan", finished_style="green")
    part = ProgressBar(length, inside, complete_style="blue", finished_style="blue")
    table.add_row(Text("epoch", "bold"), f"{max(state.epoch, 1)}/{epochs}", whole, times)
    table.add_row("iteration", f"{inside}/{length}", part, speed)
    return table


def facts(state: Progress, measured: bool) -> Text:
    """Name the values that all students have in common; ``measured``: an epoch has ended."""
    text = Text(no_wrap=True, overflow="ellipsis")
    values = [("φ", f"{state.ramp:.3f}"), ("learning rate", f"{state.learning_rate:.3g}")]
    if measured:
        diversity = state.holdout.diversity
        values += [("diversity", f"{diversity:.3f}")] if diversity is not None else []
        values += [
            ("samples/s", f"{state.samples_per_second:,.0f}"),
            ("peak memory", f"{state.peak_memory / 2**30:.2f} GiB"),
        ]
    for name, value in values:
        text.append(f"{name} ", "dim").append(f"{value}   ", "bold")
    return text


@dataclass
class StudentTable:
    """The table of students after the newest epoch; ``history`` holds the holdout accuracies of all epochs."""

    paths: Sequence[Sequence[int]] = ()
    history: list[Sequence[float]] = field(default_factory=list)
    cross_entropy: Sequence[float] = ()
    imitation: Sequence[float] = ()
    selected: tuple[int, int, float] = (0, 0, 0.0)

    def update(self, state: Progress) -> None:
        """Take the values of an epoch."""
        self.paths = state.paths.tolist()
        self.history.append(state.holdout.accuracy)
        self.cross_entropy, self.imitation = state.training.ce, state.training.kl
        self.selected = (state.selected.student, state.selected.epoch, state.selected.score)

    def table(self, width: int, height: int) -> Table:
        """Draw as many students as fit, the best first if not all do."""
        accuracy = self.history[-1]
        room = max(4, height - OTHER_LINES)
        shown = list(range(len(accuracy)))
        if len(shown) > room:
            best = sorted(shown, key=lambda student: (student != self.selected[0], -accuracy[student]))
            shown = best[: room - 1]
        table = self._columns(width)
        for student in shown:
            table.add_row(*self._row(student, width), style="bold" if student == self.selected[0] else "")
        if len(shown) < len(accuracy):
            rest = [value for student, value in enumerate(accuracy) if student not in shown]
            span = f"{min(rest):.2f} to {max(rest):.2f}"
            table.add_row("", "…", f"{len(rest)} more, {span} %", style="dim")
        return table

    def leader(self) -> Text:
        """Say who is selected so far, and how good all are."""
        student, epoch, score = self.selected
        text = Text.assemble(("▶ ", "green"), ("selected ", "dim"), no_wrap=True, overflow="ellipsis")
        text.append(f"student {student}, epoch {epoch}, {score:.2f} %", "bold")
        if len(self.history[-1]) > 1:
            text.append("   mean of students ", "dim").append(f"{fmean(self.history[-1]):.2f} %", "bold")
        return text

    def _columns(self, width: int) -> Table:
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False, header_style="dim")
        table.add_column("", width=1)
        table.add_column("student", justify="right", no_wrap=True)
        table.add_column("path" if self.paths else "", no_wrap=True, overflow="ellipsis", max_width=_path_width(width))
        table.add_column("holdout %", justify="right", no_wrap=True)
        if width >= TREND_FROM:
            table.add_column("trend", width=TREND, no_wrap=True)
        table.add_column("CE", justify="right", no_wrap=True)
        table.add_column("KL", justify="right", no_wrap=True)
        return table

    def _row(self, student: int, width: int) -> list[RenderableType]:
        return [
            Text("▶" if student == self.selected[0] else "", "green"),
            str(student),
            _blocks(self.paths[student]),
            f"{self.history[-1][student]:.2f}",
            *([Text(self._trend(student), "cyan")] if width >= TREND_FROM else []),
            f"{self.cross_entropy[student]:.3f}",
            f"{self.imitation[student]:.3f}",
        ]

    def _trend(self, student: int) -> str:
        """Draw the last epochs of a student, on the scale of all students over the same epochs."""
        recent = self.history[-TREND:]
        low = min(min(epoch) for epoch in recent)
        high = max(max(epoch) for epoch in recent)
        step = (high - low) / (len(BLOCKS) - 1) or 1.0
        return "".join(BLOCKS[round((epoch[student] - low) / step)] for epoch in recent)


def plain_line(state: Progress, left: float | None) -> str:
    """Tell an epoch in one line."""
    holdout, training, selected = state.holdout, state.training, state.selected
    best = max(holdout.accuracy)
    epochs = state.max_epochs or 0
    parts = [
        f"epoch {state.epoch:>{len(str(epochs))}}/{epochs}",
        f"holdout best {best:.2f} % mean {fmean(holdout.accuracy):.2f} %",
        f"selected student {selected.student} epoch {selected.epoch} ({selected.score:.2f} %)",
        f"CE {fmean(training.ce):.3f}  KL {fmean(training.kl):.3f}",
        f"phi {state.ramp:.3f}  learning rate {state.learning_rate:.3g}",
        *([f"diversity {holdout.diversity:.3f}"] if holdout.diversity is not None else []),
        f"{state.samples_per_second:.0f} samples/s",
        *([f"{duration(left)} left"] if left is not None else []),
    ]
    return "  ".join(parts)


def duration(seconds: float) -> str:
    """Write a time as hours, minutes and seconds.

    Example:
        >>> duration(3671.8)
        '1:01:11'
    """
    return str(timedelta(seconds=int(seconds)))


def _blocks(path: Sequence[int]) -> Text:
    """One coloured block per layer, with the number of the module in it."""
    text = Text()
    for module in path:
        text.append(DIGITS[module % len(DIGITS)], MODULE_STYLES[module % len(MODULE_STYLES)])
    return text


def _path_width(width: int) -> int:
    return max(8, width - FIXED_WIDTH - (TREND + 2 if width >= TREND_FROM else 0))
