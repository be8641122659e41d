"""``cgl analyse``: what the students of finished runs are like, beyond their accuracy."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cgl_ignite.cli.options import folder_option, json_option, plugins_option

if TYPE_CHECKING:
    from rich.console import Console

    from cgl_ignite.analyses.base import Finding

__all__ = ["analyse"]

KINDS = {
    "flatness": "Accuracy lost by noise on the weights; largest eigenvalue of the Hessian.",
    "diversity": "How alike the students of a run predict, and how alike their layers are.",
    "paths": "Accuracy of all paths through the modules, trained or not.",
    "calibration": "Whether the selected student is right as often as it says.",
    "structures": "Whether tables of paths rank alike on two data sets.",
}
UNKNOWN_WIDTH = 200
"""Columns of a table where stdout is no terminal."""


def _read_strengths(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[float, ...] | None:
    """Read numbers of at least 0 with commas between them."""
    if text is None:
        return None
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise click.BadParameter(f"must be numbers with commas between them, such as 0.01,0.02, not {text!r}") from None
    if not all(0 <= number < float("inf") for number in numbers):
        raise click.BadParameter(f"must be numbers of at least 0, not {text!r}")
    return numbers


def _kinds(command: Callable[..., None]) -> Callable[..., None]:
    """Add a flag for every analysis."""
    for kind, text in reversed(KINDS.items()):
        command = click.option(f"--{kind}", is_flag=True, help=text)(command)
    return command


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@_kinds
@click.option("--sigma", metavar="A,B", callback=_read_strengths, help="Flatness: deviations of the noise.")
@click.option(
    "--relative", metavar="A,B", callback=_read_strengths, help="Flatness: its norm as a share of the weights'."
)
@click.option("--draws", type=click.IntRange(min=1), help="Flatness: draws of the noise; default: 10.")
@click.option("--sample", type=click.IntRange(min=1), help="Paths: measure at most this many more; default: 128.")
@click.option("--rows", type=click.IntRange(min=2), help="Use at most this many rows; default: 2000, for layers 500.")
@click.option("--root", type=click.Path(path_type=Path), help="Folder of the data sets, if it is not where it was.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Where to compute.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write pictures and students to this folder.")
@json_option
@plugins_option
@folder_option
def analyse(
    runs: tuple[str, ...],
    root: Path | None,
    device: str,
    output: Path | None,
    as_json: bool,
    plugins: tuple[str, ...],
    folder: Path,
    **chosen: Any,
) -> None:
    """Analyse finished runs: flatness, diversity, paths, calibration, structures; without a choice, all that apply.

    RUN is a run id or its beginning, "latest", a run's folder or checkpoint, or a comparison by its id or folder, whose
    finished runs are taken. Runs of one method with several seeds are one line. Prints tables, or with --json
    everything. Analyses of one comparison are kept with it, for its page (cgl report).
    """
    from cgl_ignite.analyses import analyse as analysed
    from cgl_ignite.analyses.catalogue import check_options
    from cgl_ignite.analyses.subjects import open_subjects
    from cgl_ignite.cli.output import SafeConsole
    from cgl_ignite.cli.reading import reading
    from cgl_ignite.comparison.finished import find_comparison
    from cgl_ignite.pipeline.device import find_device
    from cgl_ignite.plugins import import_plugins

    import_plugins(plugins)
    kinds = [kind for kind in KINDS if chosen.pop(kind)]
    check_options(kinds or tuple(KINDS), {name: value for name, value in chosen.items() if value is not None})
    console = SafeConsole(stderr=True, highlight=False)
    subjects = open_subjects(runs, folder, find_device(device), root)
    with reading(quiet=False):
        found = analysed(
            subjects, kinds, lambda text: console.print(text, style="dim", markup=False, soft_wrap=True), **chosen
        )
    if as_json:
        click.echo(json.dumps({kind: finding.values for kind, finding in found.items()}))
    else:
        _show(found)
    comparison = find_comparison(folder, runs[0]) if len(runs) == 1 else None
    if output is not None or comparison is not None:
        _store(found, output, comparison, chosen, [subject.id for subject in subjects])


def _show(found: Mapping[str, Finding]) -> None:
    """Print a table for each analysis."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from cgl_ignite.cli.output import SafeConsole, cells

    console = SafeConsole(highlight=False)
    if not console.is_terminal:
        console.width = UNKNOWN_WIDTH
    for finding in found.values():
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, pad_edge=False)
        for column in finding.columns:
            table.add_column(column, justify="left" if column == finding.columns[0] else "right")
        for row in finding.rows:
            table.add_row(*cells(row))
        console.print(Text(finding.title, "bold"))
        console.print(table)
        for note in finding.notes:
            console.print(Text(f"  {note}", "dim"))
        console.print()


def _pictures(finding: Finding) -> dict[str, bytes]:
    """Draw the pictures of an analysis as SVG and PNG."""
    from cgl_ignite.analysis.canvas import as_png, as_svg

    contents: dict[str, bytes] = {}
    for name, figure in finding.figures().items():
        contents |= {f"{name}.svg": as_svg(figure), f"{name}.png": as_png(figure)}
    return contents


def _store(
    found: Mapping[str, Finding],
    output: Path | None,
    comparison: Path | None,
    options: Mapping[str, Any],
    runs: Sequence[str],
) -> None:
    """Write the analyses to the folder that was asked for, and keep them with the comparison they are about."""
    from cgl_ignite.cli.output import SafeConsole

    console = SafeConsole(stderr=True, highlight=False)
    pictures = {kind: _pictures(finding) for kind, finding in found.items()}
    if output is not None:
        _write(found, pictures, output, console)
    if comparison is not None:
        _keep(found, pictures, comparison, options, runs)
        name = comparison.absolute().name
        console.print(f"kept with comparison {name}; cgl report {name} shows it", style="dim", soft_wrap=True)


def _keep(
    found: Mapping[str, Finding],
    pictures: Mapping[str, Mapping[str, bytes]],
    comparison: Path,
    options: Mapping[str, Any],
    runs: Sequence[str],
) -> None:
    """Keep tables and pictures with the comparison."""
    from cgl_ignite.analyses.base import ANALYSES
    from cgl_ignite.comparison.analysed import KeptAnalysis, keep_analysis

    for kind, finding in found.items():
        own = {name: options[name] for name in ANALYSES.facts(kind)["options"]}
        analysis = KeptAnalysis(
            kind=kind,
            title=finding.title,
            columns=finding.columns,
            rows=finding.rows,
            notes=finding.notes,
            options={name: value for name, value in own.items() if value is not None},
            runs=runs,
            pictures=list(dict.fromkeys(Path(name).stem for name in pictures[kind])),
        )
        keep_analysis(comparison, analysis, pictures[kind])


def _write(
    found: Mapping[str, Finding], pictures: Mapping[str, Mapping[str, bytes]], folder: Path, console: Console
) -> None:
    """Write pictures as PNG and SVG, the tables as they are printed with --json, and the other files."""
    from cgl_ignite.tracking.files import write_atomically

    for kind, finding in found.items():
        contents = {f"{kind}.json": json.dumps(finding.values, indent=1).encode(), **pictures[kind]}
        contents |= {name: make() for name, make in finding.files.items()}
        for name, content in contents.items():
            write_atomically(folder / name, content)
            console.print(str(folder / name), markup=False, soft_wrap=True)
