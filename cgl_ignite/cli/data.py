"""``cgl data``: which data sets there are, fetching them, and checking their files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cgl_ignite.cli.output import SafeConsole, say

if TYPE_CHECKING:
    from cgl_ignite.data import Archive

__all__ = ["data"]

_root = click.option(
    "--root",
    type=click.Path(path_type=Path),
    help="Folder of the data sets; default: $CGL_DATA, else ~/.cache/cgl_ignite.",
)


@click.group()
def data() -> None:
    """List, fetch and verify data sets."""


@data.command("list")
@_root
def list_(root: Path | None) -> None:
    """Show every data set: rows, classes, where it is looked for, and whether it is there ("-": not known)."""
    from cgl_ignite.data import DATASETS, data_root, is_present

    folder = data_root(root)
    lines = [("kind", "train", "test", "classes", "present", "where")]
    for kind in DATASETS.kinds():
        facts = DATASETS.facts(kind)
        files: Archive | None = facts["files"]
        train, test = facts["rows"] or ("-", "-")
        where = facts["where"] if files is None else str(files.location(folder))
        present = {True: "yes", False: "no", None: "-"}[is_present(kind, folder)]
        lines.append((kind, str(train), str(test), str(facts["classes"] or "-"), present, where))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        say("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


@data.command()
@click.argument("kinds", metavar="KIND...", nargs=-1, required=True)
@_root
def fetch(kinds: tuple[str, ...], root: Path | None) -> None:
    """Download data sets, or unpack the archives placed in the root; whole files are left as they are."""
    from cgl_ignite.data import data_root

    folder = data_root(root)
    archives = [_archive(kind) for kind in kinds]
    for archive in archives:
        _say(f"{archive.title}: fetching into {archive.location(folder)}")
        archive.fetch(folder)
    for archive in archives:
        say(archive.location(folder))


@data.command()
@click.argument("kinds", metavar="[KIND]...", nargs=-1)
@_root
def verify(kinds: tuple[str, ...], root: Path | None) -> None:
    """Compare files with their official checksums; without a KIND, those of all data sets that are there."""
    from cgl_ignite.data import DATASETS, data_root
    from cgl_ignite.errors import InputError

    folder = data_root(root)
    archives = [_archive(kind) for kind in kinds]
    if not kinds:
        known = [DATASETS.facts(kind)["files"] for kind in DATASETS.kinds()]
        archives = [files for files in known if files and files.present(folder)]
    faults = []
    for archive in archives:
        _say(f"{archive.title}: verifying {archive.location(folder)}")
        try:
            archive.verify(folder)
        except InputError as fault:
            faults.append(str(fault))
    if faults:
        raise InputError("\n".join(faults))
    if not archives:
        _say(f"no data set in {folder}")
    for archive in archives:
        say(f"{archive.kind}  whole  {archive.location(folder)}")


def _archive(kind: str) -> Archive:
    """Return the files of a data set that has some to fetch."""
    from cgl_ignite.data import DATASETS
    from cgl_ignite.errors import InputError

    facts = DATASETS.facts(kind)
    files: Archive | None = facts["files"]
    if files is None:
        raise InputError(f"data set {kind!r} has no files to fetch or verify: {facts['where']}")
    return files


def _say(text: str) -> None:
    SafeConsole(stderr=True).print(text, highlight=False, markup=False, soft_wrap=True)
