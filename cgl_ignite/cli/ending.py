"""The lines at the end of a run: what was reached, where everything is, what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

from rich.text import Text

from cgl_ignite.cli.frame import duration
from cgl_ignite.cli.output import short_path
from cgl_ignite.metrics.predictions import unit_of
from cgl_ignite.selection import candidates
from cgl_ignite.tracking.store import Store, own_store

if TYPE_CHECKING:
    from cgl_ignite.display import Summary
    from cgl_ignite.display.screen import Result

__all__ = ["results"]

WIDTH = 84
"""Columns of a sentence, which then ends where most commands do."""


def results(summary: Summary, result: Result, model: str | None) -> Iterator[Text]:
    """Tell the result of a run, where everything is, and what to do next; every line can be copied whole."""
    of = f" of {summary.students}" if summary.students > 1 else ""
    yield Text.assemble(
        ("finished ", "bold green"), (summary.pipeline.name, "bold"), f" · {summary.method} · seed {summary.seed}"
    )
    yield _entry(
        "selected",
        f"student {result.selected_student}{of}, epoch {result.selected_epoch} of {summary.epochs}",
    )
    yield _entry("holdout accuracy", _with_standard_error(result, summary.samples[1]))
    if advice := _advice(summary):
        yield _entry("", advice, "yellow")
    yield _entry("test accuracy", f"{result.test_accuracy:.2f} %", "bold green")
    yield from (_entry(name, value) for name, value in _metrics(result))
    if summary.students > 1:
        yield _entry("mean of students", f"{result.mean_test_accuracy:.2f} % on the test set")
    if result.diversity is not None:
        yield _entry("diversity", f"{result.diversity:.3f}")
    yield _entry("training time", duration(result.train_seconds))
    yield _entry("run", short_path(summary.folder))
    yield _entry("checkpoint", short_path(Path(result.checkpoint)))
    yield _entry("student", short_path(Path(result.student)))
    if model is not None:
        yield _entry("model in MLflow", model)
    yield _entry("MLflow", _place(result.tracking_uri))
    if result.tracked is False:
        yield _entry("", "this run is incomplete there; the same command with --resume sends what is missing", "yellow")
    for number, line in enumerate(_diagnosis(result)):
        yield _entry("" if number else "diagnosis", line)
    yield Text("look further", "bold")
    for command, meaning in _commands(summary, result):
        yield Text.assemble("  ", (command, "cyan"), (f"   # {meaning}", "dim"))


def _with_standard_error(result: Result, rows: int) -> str:
    accuracy, error = f"{result.holdout_accuracy:.2f} %", result.holdout_standard_error
    return accuracy if error is None else f"{accuracy} ± {error:.2f} (standard error from {_rows(rows)}, one run)"


def _metrics(result: Result) -> Iterator[tuple[str, str]]:
    """Write the metrics that were asked for; of those of each class the least."""
    for name, value in (result.metrics or {}).items():
        title, unit = name.replace("_", " "), f" {unit_of(name)}".rstrip()
        if isinstance(value, Mapping):
            worst = min(value, key=lambda one: value[one] if value[one] is not None else 0.0)
            yield f"least {title}", f"{value[worst]:.2f}{unit}, of {worst!r}"
        else:
            yield title, "not defined" if value is None else f"{value:.{2 if unit else 4}f}{unit}"


def _diagnosis(result: Result) -> list[str]:
    """Divide the diagnosis into its figures and what they suggest, and these into lines."""
    figures, colon, advice = (result.diagnosis or "").partition(": ")
    parts = (f"{figures}{colon}", advice)
    return [line for part in parts for line in wrap(part, WIDTH, break_on_hyphens=False, break_long_words=False)]


def _advice(summary: Summary) -> str:
    """Say that a holdout is too small to select by; empty where it is not."""
    rows = summary.samples[1]
    count = candidates(summary.pipeline.method.selection, summary.students, summary.epochs)
    if rows == 1:
        return "one row says next to nothing about a student: take a larger data.holdout"
    if count <= rows:
        return ""
    return (
        f"the best of {count} pairs of student and epoch on {_rows(rows)}: trust the test accuracy, "
        "or take a larger data.holdout"
    )


def _rows(rows: int) -> str:
    return f"{rows:,} holdout row{'' if rows == 1 else 's'}"


def _commands(summary: Summary, result: Result) -> Iterator[tuple[str, str]]:
    home = summary.folder.parent.parent
    where = "" if home == Path("mlruns").absolute() else f" --folder {shlex.quote(short_path(home))}"
    own = Store(result.tracking_uri, None).database == own_store(home).database
    run = result.run_id[:8]
    yield f"cgl ui{where}" if own else f"cgl ui --uri {shlex.quote(result.tracking_uri)}", "charts of all runs"
    text = summary.modality == "text"
    inputs, own_data = ("TEXT...", "a table of texts") if text else ("IMAGE...", "a folder")
    source = summary.pipeline.data
    data = source.kind if source.root is None else f"{source.kind} --root {shlex.quote(str(source.root))}"
    yield f"cgl evaluate {run} {data}{where}", f"the student on this data set, another, or {own_data}"
    yield f"cgl predict {run} {inputs}{where}", f"name the classes of your {'texts' if text else 'pictures'}"
    yield f"cgl export {run}{where}", "the student as a file of its own"


def _entry(name: str, value: str, style: str = "") -> Text:
    return Text.assemble("  ", (f"{name:<17} ", "dim"), (value, style))


def _place(uri: str) -> str:
    """The file of a local database, else the address as it is."""
    database = Store(uri, None).database
    return uri if database is None else short_path(database)
