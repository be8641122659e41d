"""``cgl show``: the effective configuration, the students and their paths, sizes and costs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.text import Text

    from cgl_ignite.cli.preview import Preview
    from cgl_ignite.config.load import Document
    from cgl_ignite.config.schema import Pipeline

__all__ = ["show"]

_COLOURS = ("blue", "yellow", "green", "magenta", "cyan", "red", "bright_blue", "bright_yellow")
_ORIGIN_COLUMN = 60


@click.command()
@click.argument("pipeline", required=False, type=click.Path())
@click.option("--set", "overrides", metavar="KEY=VALUE", multiple=True, help="Change a value.")
@click.option("--small", is_flag=True, help="Show the small trial that [small] describes.")
@click.option("--processes", metavar="N", type=click.IntRange(min=2), help="Show what N processes will each do.")
@click.option("--forecast", is_flag=True, help="Measure how long a comparison of the file will take.")
@click.option("--budget", metavar="2h", help="Measure it, and tell what fits into this time.")
@click.option("--kinds", "list_kinds", is_flag=True, help="List all kinds with their options instead.")
def show(
    pipeline: str | None,
    overrides: tuple[str, ...],
    small: bool,
    processes: int | None,
    forecast: bool,
    budget: str | None,
    list_kinds: bool,
) -> None:
    """Show what a pipeline will do, before it does it.

    Prints every effective value with the place it comes from, as a pipeline file that stands by itself;
    then, as comments, the students with their paths, parameters and iterations, and the cells of a comparison. Needs
    no GPU and no data; of your own files, if they are there, only names and headers are read.
    """
    if pipeline is None and not list_kinds:
        raise click.UsageError("Missing argument 'PIPELINE' (or --kinds).")
    from cgl_ignite.catalogue import bind, effective
    from cgl_ignite.cli.kinds import kinds
    from cgl_ignite.cli.output import SafeConsole
    from cgl_ignite.cli.preview import Preview
    from cgl_ignite.config.load import load_document

    lines: list[Text] = []
    if pipeline is not None:
        document = load_document(pipeline, overrides, small=small)
        bound = bind(document)
        preview = Preview.of(bound)
        lines = [*_settings(bound, effective(document)), *_students(preview), *_growth(document, preview)]
        if processes:
            lines += _shares(preview, processes)
        if forecast or budget or document.tree.keys() & {"compare", "sweep", "variants"}:
            lines += _cells(pipeline, overrides, small=small, forecast=forecast, budget=budget)
    if list_kinds:
        click.echo("\n".join(kinds()))
        return
    console = SafeConsole(highlight=False, soft_wrap=True)
    for line in lines:
        console.print(line)


def _settings(pipeline: Pipeline, document: Document) -> Iterator[Text]:
    from rich.text import Text

    from cgl_ignite.config.dump import toml_lines, values

    for key, line in toml_lines(values(pipeline), inline=False):
        if key:
            origin = document.origins.get(key, "default")
            yield Text.assemble(line.ljust(_ORIGIN_COLUMN), (f"  # {origin}", "dim"))
        else:
            yield Text(line, style="bold")


def _students(preview: Preview) -> Iterator[Text]:
    from rich.text import Text

    yield Text()
    yield Text(f"# Students and the module each runs in every layer (seed {preview.pipeline.seeds[0]})")
    for student, path in enumerate(preview.paths):
        blocks = [(f" {module} ", f"black on {_COLOURS[module % len(_COLOURS)]}") for module in path]
        yield Text.assemble(f"#   student {student:<3}", *blocks)
    yield Text()
    yield from (Text(f"# {line}") for line in preview.figures())


def _shares(preview: Preview, processes: int) -> Iterator[Text]:
    from rich.text import Text

    told = preview.shares(processes)
    yield Text()
    yield Text(
        f"# {processes} processes: the busiest computes {told.busiest:.2f} of an iteration, so they are at most"
        f" {1 / told.busiest:.1f} times as fast as one"
    )
    logits = f", of which {told.logits / 2**20:,.2f} are logits" if told.logits else ""
    yield Text(
        f"#   {told.leaving / 2**20:,.2f} MiB leave a process in an iteration{logits} (run.reduce = '{told.reduce}')"
    )


def _growth(document: Document, preview: Preview) -> Iterator[Text]:
    from rich.text import Text

    from cgl_ignite.cli.growth import growth_lines

    yield Text()
    yield from (Text(f"# {line}") for line in growth_lines(document, preview.look))


def _cells(
    pipeline: str, overrides: tuple[str, ...], *, small: bool, forecast: bool, budget: str | None
) -> Iterator[Text]:
    from rich.text import Text

    from cgl_ignite.cli.cells import cells_lines, read_duration
    from cgl_ignite.cli.rows import SEEDS, read_rows

    seconds = None if budget is None else read_duration(budget)
    rows = read_rows(pipeline, overrides, small=small)
    seeds = rows.first.seeds if rows.seeded else SEEDS
    yield Text()
    for line in cells_lines(rows, len(seeds), measured=forecast or budget is not None, budget=seconds):
        yield Text(f"# {line}")
