"""``cgl export``: one student of a run as a file of its own."""

from __future__ import annotations

from pathlib import Path

import click

from cgl_ignite.cli.options import Target, folder_option, plugins_option
from cgl_ignite.formats import EXPORT_FORMATS

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
@plugins_option
@folder_option
def export(
    run: str, student: int | None, form: str, output: Path | None, plugins: tuple[str, ...], folder: Path
) -> None:
    """Save one student of RUN at the selected epoch, with a card that describes it.

    RUN is a run id or its beginning, "latest", a run's folder or a checkpoint. Prints the name of the file;
    the card for people is FILE.md. A file of that name is replaced.
    """
    from cgl_ignite.cli.output import SafeConsole, say
    from cgl_ignite.export import export_student
    from cgl_ignite.plugins import import_plugins
    from cgl_ignite.runs import open_run

    import_plugins(plugins)
    opened = open_run(run, folder)
    path = export_student(opened, student, form, output)
    epoch, selected, _ = opened.selected
    text = f"student {selected if student is None else student} of run {opened.facts['run_id']}, epoch {epoch}"
    SafeConsole(stderr=True).print(text, highlight=False, markup=False, soft_wrap=True)
    say(path)
