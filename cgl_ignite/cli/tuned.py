"""The last lines of ``cgl run --tune``: what each value reached on the holdout, and what was chosen."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from cgl_ignite.analysis.statistics import spread
from cgl_ignite.cli.output import SafeConsole, short_path
from cgl_ignite.config.dump import toml_value

if TYPE_CHECKING:
    from cgl_ignite.comparison.tuned import Trial, Tuned
    from cgl_ignite.pipeline import RunResult

__all__ = ["show_tuned", "tuned_lines"]


def show_tuned(tuned: Tuned, command: Sequence[str]) -> None:
    """Write the lines to stderr; ``command``: what trains the pipeline without tuning."""
    console = SafeConsole(stderr=True, highlight=False, soft_wrap=True)
    for line in tuned_lines(tuned, command):
        console.print(line)


def tuned_lines(tuned: Tuned, command: Sequence[str]) -> Iterator[Text]:
    """Tell the holdout accuracy of each value, what the chosen one reaches on the test part, and where it is."""
    yield Text.assemble(("tuned ", "bold"), (tuned.key, "bold"), ", on the holdout with the first seed")
    width = max(len(toml_value(trial.value)) for trial in tuned.trials)
    width = max(width, len("test accuracy")) + 2
    for trial in tuned.trials:
        yield Text.assemble("  ", (f"{toml_value(trial.value):<{width}}", "dim"), *_reached(tuned, trial))
    if tuned.end is not None:
        beyond = "larger" if tuned.end == "largest" else "smaller"
        yield _entry("", f"it is the {tuned.end} that was tried; {beyond} ones may be better", width, "yellow")
    yield _entry("test accuracy", f"{_accuracy(tuned.results)} %", width, "bold green")
    for result in tuned.results:
        yield _entry("student", short_path(Path(result.student)), width)
    yield _entry("from now on", shlex.join([*command, "--set", tuned.setting]), width, "cyan")


def _reached(tuned: Tuned, trial: Trial) -> Iterator[tuple[str, str]]:
    if trial.result is None:
        yield f"failed: {trial.reason}", "red"
        return
    error = trial.result.holdout_standard_error
    yield f"{trial.result.holdout_accuracy:.2f} %" + ("" if error is None else f" ± {error:.2f}"), ""
    if trial is tuned.best:
        yield "   chosen", "bold"
    elif tuned.is_close(trial):
        yield "   within a standard error of the chosen one", "dim"


def _accuracy(results: Sequence[RunResult]) -> str:
    mean, std = spread([result.test_accuracy for result in results])
    return f"{mean:.2f}" + ("" if std is None else f" ± {std:.2f}")


def _entry(name: str, value: str, width: int, style: str = "") -> Text:
    return Text.assemble("  ", (f"{name:<{width}}", "dim"), (value, style))
