"""What ``--tune`` tells: what each value reached on the holdout, and what was chosen."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cgl_ignite.analyses.base import mean_and_deviation
from cgl_ignite.cli.output import SafeConsole, cells, short_path
from cgl_ignite.config.dump import toml_value

if TYPE_CHECKING:
    from cgl_ignite.comparison.rows import Choice
    from cgl_ignite.comparison.tuned import Trial, Tuned

__all__ = ["show_choices", "tuned_lines"]


def tuned_lines(tuned: Tuned, command: Sequence[str]) -> Iterator[Text]:
    """Tell the holdout accuracy of each value, what the chosen one reaches on the test part, and where it is.

    ``command``: what trains the pipeline without tuning.
    """
    seeds = len(tuned.best.results)
    which = "the first seed" if seeds == 1 else f"the first {seeds} seeds"
    yield Text.assemble(("tuned ", "bold"), (tuned.key, "bold"), f", on the holdout with {which}")
    width = max(len(toml_value(trial.value)) for trial in tuned.trials)
    width = max(width, len("test accuracy")) + 2
    for trial in tuned.trials:
        yield Text.assemble("  ", (f"{toml_value(trial.value):<{width}}", "dim"), *_reached(tuned, trial))
    if tuned.end is not None:
        beyond = "larger" if tuned.end == "largest" else "smaller"
        yield _entry("", f"it is the {tuned.end} that was tried; {beyond} ones may be better", width, "yellow")
    reached = mean_and_deviation([result.test_accuracy for result in tuned.results], "{:.2f}")
    yield _entry("test accuracy", f"{reached} %", width, "bold green")
    for result in tuned.results:
        yield _entry("student", short_path(Path(result.student)), width)
    yield _entry("from now on", shlex.join([*command, "--set", tuned.setting]), width, "cyan")


def show_choices(key: str, choices: Mapping[str, Choice], console: Console | None = None) -> None:
    """Show the holdout accuracy of every row of a comparison with each value, and the value that it gets."""
    console = console or SafeConsole(stderr=True, highlight=False)
    values = [toml_value(value) for value, _ in next(iter(choices.values())).tried]
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column(f"holdout accuracy, %, by {key}", no_wrap=True)
    for title in (*values, "chosen"):
        table.add_column(title, justify="right", no_wrap=True)
    for name, choice in choices.items():
        end = "" if choice.end is None else f", the {choice.end}"
        reached = ("failed" if accuracy is None else f"{accuracy:.2f}" for _, accuracy in choice.tried)
        table.add_row(*cells([name, *reached, f"{toml_value(choice.value)}{end}"]))
    if not console.is_terminal:
        wide = console.options.update(max_width=10_000)
        console.width = max(console.width, console.measure(table, options=wide).maximum)
    console.print(table)
    if any(choice.end for choice in choices.values()):
        note = "beyond the smallest and the largest value that was tried, others may be better"
        console.print(Text(note, "dim"), soft_wrap=True)


def _reached(tuned: Tuned, trial: Trial) -> Iterator[tuple[str, str]]:
    if not trial.results:
        yield f"failed: {trial.reason}", "red"
        return
    error = trial.standard_error
    yield f"{trial.accuracy:.2f} %" + ("" if error is None else f" ± {error:.2f}"), ""
    if trial is tuned.best:
        yield "   chosen", "bold"
    elif tuned.is_close(trial):
        yield "   within a standard error of the chosen one", "dim"


def _entry(name: str, value: str, width: int, style: str = "") -> Text:
    return Text.assemble("  ", (f"{name:<{width}}", "dim"), (value, style))
