"""All that the commands write passes here: control characters of names and values become escapes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.segment import Segment
from rich.text import Text

from cgl_ignite.errors import escaped, escaped_lines

if TYPE_CHECKING:
    from rich.console import ConsoleOptions, RenderableType

__all__ = ["SafeConsole", "cells", "say", "short_path"]


class SafeConsole(Console):
    """A console whose colours and cursor are its own: control characters of the texts it is given are escaped.

    A :class:`rich.text.Text` is one line; new lines within it are escaped, too.
    """

    def print(self, *objects: Any, **options: Any) -> None:
        """Print objects."""
        super().print(*map(_one_line, objects), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render an object to segments; those that steer the terminal come from rich alone."""
        for segment in super().render(renderable, options):
            safe = segment.control or segment.text.isprintable()
            yield segment if safe else Segment(escaped_lines(segment.text), segment.style)


def cells(row: Iterable[str]) -> list[Text]:
    """Make the cells of a row, each a single line."""
    return [Text(escaped(cell)) for cell in row]


def say(text: object, *, err: bool = False) -> None:
    """Write lines to stdout or stderr."""
    click.echo(escaped_lines(text), err=err)


def short_path(path: Path) -> str:
    """The path from the current folder, if it lies within."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _one_line(given: Any) -> Any:
    if isinstance(given, Text) and "\n" in given.plain:
        return Text(r"\n").join(given.split("\n", allow_blank=True))
    return given
