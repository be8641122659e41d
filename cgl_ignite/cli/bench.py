"""``cgl bench``: how fast a pipeline trains and scores on this machine, and how much of that is arithmetic."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from cgl_ignite.cli.options import json_option
from cgl_ignite.errors import Interrupted, RunFailed

if TYPE_CHECKING:
    from rich.console import Console

    from cgl_ignite.config.schema import Pipeline

__all__ = ["bench"]

PARTS = ("training", "floor", "evaluation", "memory")
UNKNOWN_WIDTH = 120
"""Columns of the table where stderr is no terminal."""
DOING = {
    "training": "the trainer and loops by hand, in turns",
    "floor": "planned passes and layers alone, in turns",
    "evaluation": "all students in one pass and one by one, in turns",
    "memory": "the growth of a process that trains",
    "processes": "one process and all of them, in turns",
}


@click.command()
@click.argument("pipeline", type=click.Path())
@click.option("--set", "overrides", metavar="KEY=VALUE", multiple=True, help="Change a value of the pipeline.")
@click.option("--part", "chosen", multiple=True, type=click.Choice(PARTS), help="Measure this; default: all parts.")
@click.option("--rounds", type=click.IntRange(min=1), default=15, show_default=True, help="Rounds that count.")
@click.option(
    "--iterations", type=click.IntRange(min=1), help="Of a round of training; default: as many as 0.3 seconds hold."
)
@click.option("--threads", type=click.IntRange(min=1), help="Threads of PyTorch; default: as cgl run.")
@click.option(
    "--clock", type=click.Choice(["wall", "cpu"]), default="wall", help="cpu: for one thread on a busy machine."
)
@click.option("--processes", type=click.IntRange(min=2), help="Measure only how much faster so many train a pool.")
@click.option("--made-up", is_flag=True, help="Take random inputs of the same shape, even if the data are there.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write figures and a picture to this folder.")
@json_option
@click.option("--quiet", is_flag=True, help="Show no progress and no table on stderr.")
def bench(
    pipeline: str,
    overrides: tuple[str, ...],
    chosen: tuple[str, ...],
    rounds: int,
    iterations: int | None,
    threads: int | None,
    clock: str,
    processes: int | None,
    made_up: bool,
    output: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Measure how fast a pipeline trains and scores, and how near that is to its arithmetic.

    Nothing is recorded or trained to an end. Prints a Markdown table, or with --json everything.
    """
    from cgl_ignite.catalogue import load_pipeline
    from cgl_ignite.cli.reading import reading

    changes = [*overrides, *([f"run.threads={threads}"] if threads else [])]
    load_pipeline(pipeline, changes)  # mistakes are told before all that a run needs is imported
    wanted = _endless(pipeline, changes)
    setting, drawn = _data(wanted, made_up)
    console = _console(quiet)
    tree = {**_head(setting, rounds, clock), "data": wanted.data.kind, "made_up": drawn}
    _announce(tree, console, made_up=made_up)
    with reading(quiet=quiet):
        for part in ["processes"] if processes else [part for part in PARTS if part in (chosen or PARTS)]:
            with _part(console, part), _stopping():
                tree[part] = _measure(part, setting, rounds, iterations or 0, clock, processes or 1)
    _tell(tree, console, output, as_json=as_json, quiet=quiet)


def _endless(path: str, changes: Sequence[str]) -> Pipeline:
    """Read the pipeline as one that does nothing but iterations."""
    from cgl_ignite.bench.race import ONE_EPOCH
    from cgl_ignite.catalogue import load_pipeline
    from cgl_ignite.errors import InputError

    wanted = load_pipeline(path, [*changes, *ONE_EPOCH])
    if wanted.method.update != "together":
        raise InputError(f"method.update = {wanted.method.update!r}: cgl bench measures students that learn together")
    return wanted


def _announce(tree: dict[str, Any], console: Console, *, made_up: bool) -> None:
    """Say what will be measured."""
    from rich.text import Text

    from cgl_ignite.bench.report import headings

    what, how = headings(tree)
    console.print(Text(what, "bold"), soft_wrap=True)
    console.print(Text(how, "dim"), soft_wrap=True)
    if tree["made_up"] and not made_up:
        text = "the data are not there, random inputs of the same shape stand in"
        console.print(Text.assemble(("note: ", "yellow"), text), soft_wrap=True)


def _data(pipeline: Pipeline, made_up: bool) -> tuple[Pipeline, bool]:
    """Let random inputs stand in for data that are not there."""
    from cgl_ignite.bench import synthetic

    drawn = made_up or synthetic.is_absent(pipeline)
    return (synthetic.made_up(pipeline) if drawn else pipeline), drawn


def _head(pipeline: Pipeline, rounds: int, clock: str) -> dict[str, Any]:
    """Say what is measured, when and where."""
    import torch

    from cgl_ignite.bench.figures import facts
    from cgl_ignite.pipeline.device import find_device

    device = find_device(pipeline.run.device)
    return {
        "pipeline": pipeline.name,
        "backbone": pipeline.backbone.kind,
        "method": pipeline.method.preset,
        "students": pipeline.method.students,
        "batch_size": pipeline.optim.batch_size,
        "precision": pipeline.run.precision,
        "device": str(device),
        "threads": pipeline.run.threads or torch.get_num_threads(),
        "rounds": rounds,
        "clock": clock,
        **facts(device),
    }


def _measure(part: str, pipeline: Pipeline, rounds: int, iterations: int, clock: str, processes: int) -> dict[str, Any]:
    """Measure one part."""
    import logging

    from cgl_ignite.bench.evaluation import measure_evaluation
    from cgl_ignite.bench.floor import measure_floor
    from cgl_ignite.bench.memory import measure_memory
    from cgl_ignite.bench.processes import measure_processes
    from cgl_ignite.bench.race import measure

    logging.getLogger("ignite").setLevel(logging.CRITICAL)  # each race ends by stopping the trainer
    measures: dict[str, Callable[[], dict[str, Any]]] = {
        "training": lambda: measure(pipeline.name, pipeline, rounds, iterations, clock),
        "floor": lambda: measure_floor(pipeline, rounds, clock),
        "evaluation": lambda: measure_evaluation(pipeline, rounds, clock),
        "memory": lambda: measure_memory(pipeline),
        "processes": lambda: measure_processes(pipeline, processes, rounds, iterations),
    }
    return measures[part]()


@contextmanager
def _stopping() -> Iterator[None]:
    """Let what stops a measurement be told as it is: nothing is saved, and a wrong sum is no mistake of the user."""
    try:
        yield
    except Interrupted:
        raise Interrupted("interrupted") from None
    except AssertionError as error:
        raise RunFailed(f"what is timed does not compute the same: {error}") from error


def _console(quiet: bool) -> Console:
    from cgl_ignite.cli.output import SafeConsole

    return SafeConsole(stderr=True, quiet=quiet, highlight=False)


@contextmanager
def _part(console: Console, part: str) -> Iterator[None]:
    """Show a bar that moves between the rounds, where no clock runs, and leave a line."""
    from time import monotonic

    from rich.progress import BarColumn, Progress, TextColumn

    from cgl_ignite.bench.progress import watching_rounds
    from cgl_ignite.cli.frame import duration

    since = monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[text]}"))
    bar = Progress(*columns, console=console, auto_refresh=False, transient=True, disable=not console.is_terminal)
    with bar:
        task = bar.add_task(f"[bold]{part}[/] {DOING[part]}", total=None, text="")
        bar.refresh()

        def moved(done: int, rounds: int) -> None:
            text = f"{done} of {rounds} rounds"
            bar.update(task, completed=done, total=rounds, text=text, refresh=True)

        with watching_rounds(moved):
            yield
    console.print(f"[bold]{part}[/] {DOING[part]} [dim]{duration(monotonic() - since)}[/]")


def _tell(tree: dict[str, Any], console: Console, output: Path | None, *, as_json: bool, quiet: bool) -> None:
    """Show the table on stderr and print the result; a terminal that shows both gets the table once."""
    import sys

    from rich import box
    from rich.table import Table
    from rich.text import Text

    from cgl_ignite.bench.report import COLUMNS, lines, markdown, write
    from cgl_ignite.cli.output import say

    if not console.is_terminal:
        console.width = UNKNOWN_WIDTH
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, pad_edge=False)
    for title in COLUMNS:
        justify: Literal["left", "right"] = "right" if title == "value" else "left"
        table.add_column(title, justify=justify, no_wrap=title not in ("figure", "unit"))
    rows = lines(tree)
    for place, line in enumerate(rows):
        first = place == 0 or rows[place - 1].part != line.part
        table.add_row(Text(line.part if first else "", "bold"), *map(Text, line[1:]))
    console.print(table)
    if output is not None:
        write(tree, output)
        console.print(Text.assemble(("figures ", "dim"), str(output)), soft_wrap=True)
    if as_json:
        click.echo(json.dumps(tree))
    elif quiet or not (sys.stdout.isatty() and console.is_terminal):
        say(markdown(tree).rstrip("\n"))
