"""``cgl new``: a pipeline file of one's own, for any data set and backbone."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from cgl_ignite.cli.output import say
from cgl_ignite.config.dump import toml_lines
from cgl_ignite.config.presets import METHODS, preset
from cgl_ignite.config.recipes import BACKBONES, DATASETS, recipe
from cgl_ignite.errors import InputError

__all__ = ["new"]


@click.command()
@click.option("--dataset", type=click.Choice(list(DATASETS)), required=True, help="What students learn.")
@click.option("--backbone", type=click.Choice(list(BACKBONES)), required=True, help="What a student is.")
@click.option("--method", type=click.Choice(list(METHODS)), default="cgl", help="How they learn (cgl).")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write; stdout if left out.")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
def new(dataset: str, backbone: str, method: str, output: Path | None, force: bool) -> None:
    """Write a pipeline file that stands by itself, with the paper's settings where the paper has them."""
    head = f"# {backbone} on {dataset}. Every key with its value: cgl show FILE; all kinds: cgl show --kinds"
    comments = {**DATASETS[dataset].comments, **_on_method(method, DATASETS[dataset].modality)}
    text = f"{head}\n{_commented(recipe(dataset, backbone, method), comments)}"
    if output is None:
        click.echo(text, nl=False)
        return
    if output.exists() and not force:
        raise InputError(f"{output} exists already; choose another name, or replace it with --force")
    _write(output, text)
    say(f"wrote {output}; next: cgl run {shlex.quote(str(output))}", err=True)


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


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(f"cannot write {path} ({error.strerror})") from error
