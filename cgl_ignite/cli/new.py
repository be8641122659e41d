"""``cgl new``: a pipeline file of one's own, for any data set and backbone."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from cgl_ignite.cli.options import plugins_option
from cgl_ignite.config.dump import toml_lines
from cgl_ignite.config.presets import METHODS, REFERENCE, preset
from cgl_ignite.config.recipes import BACKBONES, DATASETS, OWN_BACKBONE, Recipe, recipe
from cgl_ignite.config.recommended import DataSize, fitted, recommended
from cgl_ignite.errors import InputError

__all__ = ["new"]


@click.command()
@click.option("--dataset", type=click.Choice(list(DATASETS)), required=True, help="What students learn.")
@click.option(
    "--backbone", metavar="NAME", required=True, help=f"What a student is: {', '.join(BACKBONES)}, or one of a plugin."
)
@click.option("--path", metavar="PATH", help="Your images or texts: the recipe is fitted to their number and size.")
@click.option("--method", type=click.Choice(list(METHODS)), help="This method with the paper's settings instead.")
@click.option("-o", "--output", metavar="FILE", help="File to write; stdout if left out.")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@plugins_option
def new(
    dataset: str,
    backbone: str,
    path: str | None,
    method: str | None,
    output: str | None,
    force: bool,
    plugins: tuple[str, ...],
) -> None:
    """Write a pipeline file that stands by itself.

    Without --method it is what we recommend: one network with a modern recipe, as no method was certain to be better
    at the same cost (docs/results.md).
    """
    head = f"# {backbone} on {dataset}. Every key with its value: cgl show FILE; all kinds: cgl show --kinds"
    added = _added(plugins)
    data, size = DATASETS[dataset], _size(dataset, path)
    tree = recipe(dataset, backbone, method or REFERENCE, added)
    placeholders = data.comments if path is None else {}
    comments = {**placeholders, **{**BACKBONES, **added}[backbone].comments}
    if method is None:
        tree, more = recommended(tree, data, size)
    else:
        more = _on_method(method, data.modality)
    comments |= more
    if path is not None:
        tree, more = fitted(tree, path, size)
        comments |= more
    text = f"{head}\n{_commented({**_named(plugins), **tree}, comments)}"
    if output is None:
        click.echo(text, nl=False)
        return
    _write(text, output, force=force)


def _write(text: str, output: str, *, force: bool) -> None:
    path = Path(output)
    if output.endswith(("/", os.sep)) or path.is_dir():
        raise InputError(f"-o {output} names a folder; give the name of the file, such as {path / 'mine.toml'}")
    if path.exists() and not force:
        raise InputError(f"{output} exists already; choose another name, or replace it with --force")
    from cgl_ignite.cli.output import say
    from cgl_ignite.tracking.files import write_atomically

    try:
        write_atomically(path, text.encode())
    except OSError as error:
        raise InputError(f"cannot write {path} ({error.strerror})") from error
    say(f"wrote {output}; next: cgl run {shlex.quote(output)}", err=True)


def _size(dataset: str, path: str | None) -> DataSize:
    """Look at the user's own data: at the names of files, headers and labels.

    Raises:
        InputError: there is nothing at the path, it cannot be read as this data set, or the data set takes none.
    """
    if path is None:
        return DataSize(DATASETS[dataset].rows)
    if "path" not in DATASETS[dataset].sections.get("data", {}):
        raise InputError(f"--path {path}: {dataset!r} has its own files; for yours take local_images or local_text")
    if not Path(path).expanduser().exists():
        raise InputError(f"--path {path}: there is no such file or folder")
    from cgl_ignite.data import look_at

    look = look_at(dataset, {"path": path}, files=True)
    side = min(look.shape[1:]) if look.shape else None
    return DataSize(look.train, look.classes, look.each, look.holdout, side)


def _added(plugins: Sequence[str]) -> dict[str, Recipe]:
    """Import plugins, and return what stands in for the backbones that they register."""
    if not plugins:
        return {}
    from cgl_ignite.backbones import BACKBONES as REGISTERED
    from cgl_ignite.plugins import import_plugins

    import_plugins(plugins)
    own = [kind for kind in REGISTERED.kinds() if kind not in BACKBONES]
    return {kind: OWN_BACKBONE[str(REGISTERED.facts(kind).get("modality", "image"))] for kind in own}


def _named(plugins: Sequence[str]) -> dict[str, Any]:
    return {"plugins": list(plugins)} if plugins else {}


def _on_method(method: str, modality: str) -> dict[str, str]:
    """Say that students with rows of their own make few optimizer steps."""
    table = preset(method, modality)
    if table["subsets"]["kind"] != "disjoint":
        return {}
    students = table["students"]
    return {
        "method.preset": f"{students} sub-sets: {students} times fewer optimizer steps; if it under-fits, raise"
        " run.passes_per_epoch, or take cgl_whole"
    }


def _commented(tree: Mapping[str, Any], comments: Mapping[str, str]) -> str:
    lines = [f"{line}  # {comments[key]}" if key in comments else line for key, line in toml_lines(tree)]
    return "\n".join(lines) + "\n"
