"""What pages are made of: tables, and pictures that are drawn now or were drawn before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cgl_ignite.analysis.canvas import as_png, as_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Grid", "Picture"]


@dataclass(frozen=True)
class Grid:
    """A table: its heads, and rows of cells."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Picture:
    """What a picture shows, a short name for its file, and its content in both formats."""

    name: str
    title: str
    svg: Callable[[], bytes]
    png: Callable[[], bytes]

    @classmethod
    def drawn(cls, name: str, title: str, figure: Figure) -> Picture:
        """Return the picture of a figure."""
        return cls(name, title, partial(as_svg, figure), partial(as_png, figure))

    @classmethod
    def stored(cls, name: str, title: str, file: Path) -> Picture:
        """Return a picture that lies in two files; ``file``: their name without suffix."""
        return cls(name, title, Path(f"{file}.svg").read_bytes, Path(f"{file}.png").read_bytes)
