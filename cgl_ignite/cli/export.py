"""``cgl export``: one student of a run as a file of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cgl_ignite.cli.options import Target, folder_option, plugins_option
from cgl_ignite.errors import InputError, choices
from cgl_ignite.formats import EXPORT_FORMATS, names_with

if TYPE_CHECKING:
    from cgl_ignite.export import Exported

__all__ = ["export"]


@click.command()
@click.argument("run")
@click.option("--student", type=click.IntRange(min=0), help="Index of a student, from 0; default: the selected one.")
@click.option(
    "--format",
    "form",
    metavar="NAME",
    default=EXPORT_FORMATS.kinds()[0],
    show_default=True,
    help="; ".join(f"{name}: {EXPORT_FORMATS.facts(name)['help']}" for name in EXPORT_FORMATS.kinds())
    + "; or one that a plugin adds.",
)
@click.option(
    "-o",
    "--output",
    type=Target(),
    help="File or folder; a new folder ends with /; default: student.pt here (student.pt2 ...).",
)
@click.option(
    "--precision",
    type=click.Choice(["float32", "int8"]),
    default="float32",
    show_default=True,
    help=f"int8 quantises the program, with the data of the run; for {choices(names_with('int8'))}.",
)
@click.option(
    "--max-drop",
    type=click.FloatRange(min=0),
    metavar="POINTS",
    help="Points of accuracy on the holdout that int8 may cost.  [default: 1]",
)
@click.option("--root", type=click.Path(path_type=Path), help="Folder of the data sets for int8; default: the run's.")
@plugins_option
@folder_option
def export(
    run: str,
    student: int | None,
    form: str,
    output: Path | None,
    precision: str,
    max_drop: float | None,
    root: Path | None,
    plugins: tuple[str, ...],
    folder: Path,
) -> None:
    """Save one student of RUN at the selected epoch, with a README that describes it.

    RUN is a run id or its beginning, "latest", a run's folder or a checkpoint; or a student's file with weights, which
    is written in another format. Prints the name of the file; FILE.md holds its card and the lines that load it without
    this package. A file of that name is replaced. A program (pt2, onnx) is compared with the student before it is
    written.

    In int8 a program is smaller, and faster on many processors. It is calibrated on training rows of the run and
    measured on the holdout beside the one in float32; one that loses too much accuracy is not written.
    """
    from cgl_ignite.cli.output import say
    from cgl_ignite.cli.reading import reading
    from cgl_ignite.export import MOST_DROP, Int8, export_file, export_student
    from cgl_ignite.plugins import import_plugins
    from cgl_ignite.runs import is_no_checkpoint, open_run

    if precision != "int8" and (max_drop, root) != (None, None):
        raise click.UsageError("--max-drop and --root are for --precision int8")
    int8 = Int8(root, MOST_DROP if max_drop is None else max_drop) if precision == "int8" else None
    import_plugins(plugins)
    if is_no_checkpoint(Path(run)):
        if student is not None or int8 is not None:
            raise InputError(f"{run} holds one student; --student and --precision int8 are for runs and checkpoints")
        done = export_file(Path(run), form, output)
    else:
        opened = open_run(run, folder)
        with reading(quiet=False):
            done = export_student(opened, student, form, output, int8)
    for line in _lines(done):
        say(line, err=True)
    say(done.path)


def _lines(done: Exported) -> Iterator[str]:
    """Say which student was written, and how far its program is from it."""
    from cgl_ignite.student.compare import TOLERANCE

    yield f"student {done.card.student} of run {done.card.run_id}, epoch {done.card.epoch}"
    if done.difference is not None:
        found = done.difference
        yield (
            f"largest difference from PyTorch {found.largest:.2g}, at logits up to {found.logit:.3g}"
            f" (allowed: {TOLERANCE:g} of them)"
        )
    if done.card.quantised is not None:
        yield from (f"{name}: {value}" for name, value in done.card.quantised.rows().items())
