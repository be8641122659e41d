"""Notes on the data that a verb has read, on stderr."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from cgl_ignite.cli.output import SafeConsole

__all__ = ["show_notes"]


def show_notes(notes: Iterable[str]) -> None:
    """Print each note in a line of its own, on stderr."""
    console = SafeConsole(stderr=True, highlight=False, soft_wrap=True)
    for note in notes:
        console.print(Text.assemble(("note: ", "yellow"), note))
