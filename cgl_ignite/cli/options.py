"""Options that several verbs have."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cgl_ignite.errors import InputError

if TYPE_CHECKING:
    from cgl_ignite.comparison.rows import Tuning

__all__ = ["Target", "folder_option", "json_option", "plugins_option", "tuning_of", "tuning_options"]

F = TypeVar("F", bound=Callable[..., Any])


def tuning_options(help_of_tune: str) -> Callable[[F], F]:
    """Give a verb ``--tune`` and ``--tune-seeds``."""

    def add(verb: F) -> F:
        seeds = click.option(
            "--tune-seeds",
            metavar="N",
            type=click.IntRange(min=1),
            help="Try each value of --tune with the first N seeds, not with one: the mean counts.",
        )
        return click.option("--tune", metavar="KEY=[A, B]", callback=_read_tuning, help=help_of_tune)(seeds(verb))

    return add


def tuning_of(tune: Tuning | None, seeds: int | None) -> Tuning | None:
    """Return the values to try with the seeds that they are tried with.

    Raises:
        InputError: seeds without values.
    """
    if tune is None and seeds is not None:
        raise InputError(f"--tune-seeds {seeds} says with how many seeds --tune tries its values; add --tune")
    return tune and replace(tune, seeds=seeds or 1)


def _read_tuning(context: click.Context, parameter: click.Parameter, text: str | None) -> Tuning | None:
    """Read a key and its values."""
    if text is None:
        return None
    from cgl_ignite.comparison.rows import Tuning

    try:
        return Tuning.read(text)
    except InputError as error:
        raise click.BadParameter(str(error)) from None


class Target(click.ParamType[Path]):
    """A file to write, or a folder to write it in: one that is there, or a new one, whose name ends with ``/``."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path; a new folder is made.

        Raises:
            InputError: a folder that cannot be made.
        """
        path = Path(value)
        if str(value).endswith(("/", os.sep)):
            try:
                path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InputError(f"cannot make the folder {value} ({error.strerror})") from error
        return path


folder_option = click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("mlruns"),
    show_default=True,
    help="Where the runs are.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
plugins_option = click.option(
    "--plugin", "plugins", metavar="MODULE", multiple=True, help="Import a module with parts of yours."
)
