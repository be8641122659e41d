"""``cgl report``: a page about a comparison, or about runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cgl_ignite.cli.options import folder_option, plugins_option

if TYPE_CHECKING:
    from cgl_ignite.page import Page, PaperPage

__all__ = ["report"]


@click.command()
@click.argument("runs", nargs=-1, metavar="COMPARISON|RUN...")
@click.option("--paper", is_flag=True, help="A page about all tables and figures of the paper that have been run.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The HTML file; default: report.html in the comparison's folder, or of runs here; paper.html beside all runs.",
)
@click.option("--log", is_flag=True, help="Store both files in MLflow, too: with the comparison, or with each run.")
@plugins_option
@folder_option
def report(
    runs: tuple[str, ...], paper: bool, output: Path | None, log: bool, plugins: tuple[str, ...], folder: Path
) -> None:
    """Write a page about a comparison or about finished runs: one HTML file, and the same in Markdown.

    COMPARISON is its id or the beginning of it, or its folder; it need not be finished. RUN is a run id or its
    beginning, "latest", or a run's folder. The HTML file needs no other file and no network. Prints the names of both
    files; the pictures of the Markdown file are in a folder beside it.

    With --paper, the page tells which tables and figures of the paper have been run, at which size, and puts ours
    beside the paper's. It looks for comparisons of the files in pipelines/paper, or in the folder that is given in the
    place of a comparison.
    """
    from cgl_ignite.page import gather
    from cgl_ignite.plugins import import_plugins

    import_plugins(plugins)
    if paper:
        _paper(runs, output or folder / "paper.html", folder, log=log)
        return
    if not runs:
        raise click.UsageError("Missing argument 'COMPARISON|RUN...' (or --paper).")
    page = gather(runs, folder)
    path = output or (page.source.folder or Path()) / "report.html"
    files = list(_write(page, path))
    for file in files[:2]:
        click.echo(file)
    if log:
        _log(page, files, folder)


def _paper(files: tuple[str, ...], path: Path, folder: Path, *, log: bool) -> None:
    """Write the page about the whole paper."""
    from cgl_ignite.page import gather_paper
    from cgl_ignite.page.pieces import FOLDER

    if log:
        raise click.UsageError("--log stores a page with its comparison; a page about the whole paper has none.")
    if len(files) > 1:
        raise click.UsageError("--paper takes one folder of pipeline files.")
    for file in list(_write(gather_paper(Path(files[0]) if files else FOLDER, folder), path))[:2]:
        click.echo(file)


def _write(page: Page | PaperPage, path: Path) -> Iterator[Path]:
    """Write HTML, Markdown and the pictures of the latter; yield the files."""
    from cgl_ignite.page import as_html, as_markdown
    from cgl_ignite.tracking.files import write_atomically

    beside = path.with_name(f"{path.stem}_files")
    contents = {path: as_html(page).encode(), path.with_suffix(".md"): as_markdown(page, beside.name).encode()}
    contents |= {beside / f"{one.name}.png": one.png() for one in page.pictures}
    for file, content in contents.items():
        write_atomically(file, content)
        yield file


def _log(page: Page, files: list[Path], folder: Path) -> None:
    """Store the files with the comparison, or with each run."""
    from cgl_ignite.cli.output import SafeConsole
    from cgl_ignite.tracking import locate, make_tracker

    source = page.source
    home = source.folder.absolute().parents[1] if source.folder else folder
    store = locate(home, source.finished[0].setting.get("tracking", {}).get("uri"))
    console = SafeConsole(stderr=True, highlight=False)
    tracker = make_tracker(store, lambda text: console.print(text, markup=False, soft_wrap=True))
    targets = [source.group] if source.folder else [run.folder.run_id for run in source.finished if run.folder]
    for target in filter(None, targets):
        for file in files:
            tracker.file(target, file, f"report/{file.parent.name}" if file.suffix == ".png" else "report")
        console.print(f"stored with run {target} in {store.uri}", markup=False, soft_wrap=True)
