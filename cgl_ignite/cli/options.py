"""Options that several verbs have."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cgl_ignite.errors import InputError

if TYPE_CHECKING:
    from cgl_ignite.comparison.rows import Tuning

__all__ = ["Target", "folder_option", "json_option", "plugins_option", "read_tuning"]


def read_tuning(context: click.Context, parameter: click.Parameter, text: str | None) -> Tuning | None:
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
