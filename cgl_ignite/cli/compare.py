"""``cgl compare``: methods, variants and values of a pipeline, trained alike and compared."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from cgl_ignite.cli.options import json_option, tuning_of, tuning_options
from cgl_ignite.errors import InputError, Interrupted, RunFailed

if TYPE_CHECKING:
    from cgl_ignite.cli.rows import ChosenRows
    from cgl_ignite.comparison.executor import MakeExecutor
    from cgl_ignite.comparison.report import ComparisonReport
    from cgl_ignite.comparison.rows import Tuning
    from cgl_ignite.config.rows import Place
    from cgl_ignite.config.schema import Pipeline

__all__ = ["compare"]


def _read_seeds(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[int, ...] | None:
    """Read seeds with commas between them."""
    numbers = _read_numbers(text, "1,2,3")
    if numbers is not None and len(set(numbers)) < len(numbers):
        raise click.BadParameter(f"a seed stands twice in {text!r}, and would give the same run twice")
    return numbers


def _read_lengths(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[int, ...] | None:
    """Read multiples of the epochs with commas between them."""
    numbers = _read_numbers(text, "1,2,4")
    if numbers is not None and (0 in numbers or len(set(numbers)) < len(numbers)):
        raise click.BadParameter(f"must be different numbers of at least 1, not {text!r}")
    return numbers


def _read_numbers(text: str | None, example: str) -> tuple[int, ...] | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise click.BadParameter(f"must be whole numbers with commas between them, such as {example}, not {text!r}")
    return tuple(map(int, parts))


def _read_equal(context: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    """Read what all rows have the same amount of."""
    from cgl_ignite.config.equal import read_equal

    try:
        return None if text is None else read_equal(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.argument("pipeline", type=click.Path())
@click.option("--methods", metavar="all|A,B", help="Which methods are compared; else those of [compare], or all.")
@click.option("--small", is_flag=True, help="Run the small trial that [small] of the pipeline describes.")
@click.option("--seeds", metavar="1,2,3", callback=_read_seeds, help="Seeds; else the pipeline's, else 1,2,3.")
@click.option("--jobs", type=click.IntRange(min=1), help="Runs at a time; else 1, or as many as SLURM starts.")
@click.option(
    "--executor",
    type=click.Choice(["local", "slurm"]),
    default="local",
    show_default=True,
    help="Where runs are trained: on this machine, or as jobs of a SLURM cluster.",
)
@click.option(
    "--slurm",
    metavar="KEY=VALUE,...",
    multiple=True,
    help="What each job asks for, such as partition=gpu,time=60,gpus_per_node=1; time is in minutes.",
)
@click.option("--join", is_flag=True, help="Take free cells if another process works on this comparison already.")
@click.option("--set", "overrides", metavar="KEY=VALUE", multiple=True, help="Change a value of the pipeline.")
@click.option("--metric", "metrics", metavar="NAME", multiple=True, help="Measure and show this metric, too.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Where to train.")
@click.option(
    "--equal",
    metavar="epochs|steps|cost[=10T]",
    callback=_read_equal,
    help="What all rows have the same amount of (epochs); cost: multiply-adds of the training.",
)
@click.option(
    "--lengths", metavar="1,2,4", callback=_read_lengths, help="Train each method for these multiples of its epochs."
)
@tuning_options("First choose a value for each method: the best on the holdout with the first seed.")
@json_option
@click.option("--quiet", is_flag=True, help="Show no progress.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write tables and figures to this folder, too.")
def compare(
    pipeline: str,
    methods: str | None,
    small: bool,
    seeds: tuple[int, ...] | None,
    jobs: int | None,
    executor: str,
    slurm: tuple[str, ...],
    join: bool,
    overrides: tuple[str, ...],
    metrics: tuple[str, ...],
    device: str | None,
    equal: str | None,
    lengths: tuple[int, ...] | None,
    tune: Tuning | None,
    tune_seeds: int | None,
    as_json: bool,
    quiet: bool,
    output: Path | None,
) -> None:
    """Train every row of a comparison with every seed, and compare them.

    Rows are methods, each the preset of its name, as [methods.NAME] of the pipeline changes it; or [variants] of the
    pipeline, or the points of its [sweep]; or all of them, each with each. The same command goes on where it was
    stopped. Prints the table, or with --json everything.
    """
    from cgl_ignite.cli.reading import reading
    from cgl_ignite.cli.rows import SEEDS, read_rows

    changes = [*overrides, *([f"run.device={device}"] if device else [])]
    changes += [f"run.metrics={json.dumps(metrics)}"] if metrics else []
    rows = read_rows(pipeline, changes, methods=methods, small=small, equal=equal, lengths=lengths or ())
    tuning = tuning_of(tune, tune_seeds)
    rows.refuse(tuning=tuning is not None)
    chosen_seeds = seeds or (rows.first.seeds if rows.seeded else SEEDS)
    make = _executor(executor, slurm, jobs)
    run = partial(_run, equal=rows.equal, jobs=jobs, executor=make, join=join, quiet=quiet)
    with reading(quiet=quiet), _told_how_to_go_on():
        if tuning is not None:
            trial = partial(run, seeds=tuning.first(chosen_seeds), tuning=True)
            rows = _tuned(rows, tuning, trial, quiet=quiet)
        report = run(rows.pipelines, chosen_seeds, rows.deviations, rows.places, rows.paper)
    _conclude(report, output, as_json=as_json, quiet=quiet)


def _tuned(rows: ChosenRows, tuning: Tuning, trial: Callable[..., ComparisonReport], *, quiet: bool) -> ChosenRows:
    """Choose a value for each method, and return the rows with their values."""
    from cgl_ignite.cli.tuned import show_choices

    choices = tuning.choose(rows.methods, rows.bind_methods, trial)
    if not quiet:
        show_choices(tuning.key, choices)
    return rows.again(tuning.overrides({name: choice.value for name, choice in choices.items()}))


@contextmanager
def _told_how_to_go_on() -> Iterator[None]:
    """Say with an interruption which command goes on."""
    try:
        yield
    except Interrupted as error:
        command = shlex.join(_command(click.get_current_context()))
        raise Interrupted(f"{error}; the state is saved, go on with the same command: {command}") from None


def _run(
    rows: Mapping[str, Pipeline],
    seeds: Sequence[int],
    deviations: Mapping[str, Mapping[str, Any]] | None = None,
    places: Mapping[str, Place] | None = None,
    paper: str | None = None,
    *,
    tuning: bool = False,
    equal: str,
    jobs: int | None,
    executor: MakeExecutor | None,
    join: bool,
    quiet: bool,
) -> ComparisonReport:
    """Compare rows, with a board for all of them and a screen for the one that trains."""
    from cgl_ignite.cli.board import make_board
    from cgl_ignite.cli.render import make_screen
    from cgl_ignite.comparison.compare import compare

    several = executor is not None or (jobs or 1) > 1
    board, screen = make_board(quiet=quiet, live=several, tuning=tuning), make_screen(quiet=quiet, brief=True)
    more: dict[str, Any] = {"deviations": deviations, "places": places, "paper": paper}
    return compare(rows, seeds, board, equal=equal, jobs=jobs, executor=executor, join=join, screen=screen, **more)


def _executor(name: str, slurm: Sequence[str], jobs: int | None) -> MakeExecutor | None:
    """Return what makes the executor that was asked for; None works the cells off on this machine.

    Raises:
        InputError: options of jobs that do not exist, or are for another executor; submitit is not installed.
    """
    if name == "local":
        if slurm:
            raise InputError(f"--slurm {shlex.quote(slurm[0])} describes jobs of a cluster; add --executor slurm")
        return None
    from cgl_ignite.comparison.cluster import cluster_executor
    from cgl_ignite.comparison.cluster_options import read_options

    return cluster_executor(read_options(slurm), jobs)


def _conclude(report: ComparisonReport, output: Path | None, *, as_json: bool, quiet: bool) -> None:
    """Show the table, and print the result; nothing goes to stdout where a run has failed.

    Raises:
        RunFailed: a run has failed.
    """
    from cgl_ignite.cli.board import show_folder, show_table

    if output is not None:
        report.write(output)
    failed = report.failed
    if failed or not as_json or not quiet:
        show_table(report, stderr=as_json or bool(failed))
    if not quiet:
        show_folder(report)
    if failed:
        names = ", ".join(f"{name} seed {seed}" for name, seed, _ in failed)
        raise RunFailed(f"{len(failed)} of {len(failed) + len(report.runs)} runs failed: {names}")
    if as_json:
        click.echo(json.dumps(report.tree()))


def _command(context: click.Context) -> Iterator[str]:
    """Write the command as it was given."""
    yield from ("cgl", "compare", context.params["pipeline"])
    for option in context.command.params:
        name = str(option.name)
        value = context.params[name]
        if not isinstance(option, click.Option) or context.get_parameter_source(name) is ParameterSource.DEFAULT:
            continue
        if option.is_flag:
            yield option.opts[0]
        elif option.multiple:
            yield from (part for item in value for part in (option.opts[0], item))
        else:
            yield option.opts[0]
            yield ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
