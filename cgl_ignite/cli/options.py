"""Options that several verbs have."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["folder_option", "json_option", "plugins_option"]

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
