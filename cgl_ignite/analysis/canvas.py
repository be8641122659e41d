"""The house style of figures: colours, type, and the two kinds of grids."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

__all__ = [
    "ACCENT",
    "ANNOTATED",
    "DPI",
    "INK",
    "LABELLED",
    "LINES",
    "MARKERS",
    "MUTED",
    "PALETTE",
    "SECOND",
    "as_png",
    "as_svg",
    "cells",
    "differ",
    "figure_beside_legend",
    "headline",
    "line_style",
    "logarithmic",
    "lower_triangle",
    "method_color",
    "new_figure",
    "point_style",
    "styled",
]

LISTED = 15
"""So many names go into a column of a legend."""

P = ParamSpec("P")

PALETTE = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#0072B2", "#D55E00", "#999999")
"""Colours that people with any colour vision can tell apart (Okabe and Ito)."""

INK, MUTED, ACCENT, SECOND = "#1f2430", "#6b7280", "#0072B2", "#D55E00"
MAP = "YlGnBu"
LINES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (4, 1.5, 1, 1.5)), (0, (8, 2)), (0, (2, 1)))
"""Dashes by which lines can be told apart without colours."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DPI = 160
ANNOTATED, LABELLED = 16, 24
"""Up to this many rows the cells of a matrix carry their value, and every row its label."""

STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#eceef2",
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
}


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw in the house style, whatever the user's matplotlib settings are."""

    @functools.wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        from matplotlib import style

        with style.context(["default", STYLE]):
            return draw(*args, **kwargs)

    return drawn


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure, in inches, that belongs to no window."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)
    figure = Figure(figsize=(width, height), layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def as_png(figure: Figure) -> bytes:
    """Draw a figure, which is laid out once and not twice as by ``savefig``, and return it as a PNG of 160 dpi."""
    file = io.BytesIO()
    figure.set_dpi(DPI)
    canvas: Any = figure.canvas
    canvas.print_png(file)
    return file.getvalue()


def as_svg(figure: Figure) -> bytes:
    """Draw a figure as SVG, with the same bytes each time."""
    import matplotlib as mpl

    file = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "cgl_ignite"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def line_style(place: int) -> dict[str, Any]:
    """Return colour, dashes and width of the line of one of several methods, which differ without colours, too."""
    return {"color": method_color(place), "linestyle": LINES[place % len(LINES)], "linewidth": 1.8}


def point_style(place: int) -> dict[str, Any]:
    """Return the style of a line through a few measured points, which carry a marker of the method's own."""
    return {**line_style(place), "marker": MARKERS[place % len(MARKERS)], "markersize": 4.5}


def method_color(place: int) -> str:
    """Return the colour of one of several methods; yellow, which is hard to see on white, comes last."""
    return (*PALETTE[:4], *PALETTE[5:], PALETTE[4])[place % len(PALETTE)]


def headline(axes: Axes, title: str, detail: str) -> None:
    """Write a title, and what it means in smaller type below it."""
    axes.set_title(title, pad=20)
    axes.annotate(detail, (0, 1), (0, 6), "axes fraction", "offset points", color=MUTED, fontsize=8)


def figure_beside_legend(names: int) -> tuple[Figure, int]:
    """Create a figure with room for a legend of so many names, and say how many columns the legend needs."""
    columns = -(-names // LISTED)
    return new_figure(7.6 + 1.7 * (columns - 1), 4.3), columns


def differ(values: Iterable[float]) -> bool:
    """Whether positive values lie so far apart that a picture of them tells something: by a tenth.

    Example:
        >>> differ([100, 109]), differ([100, 111])
        (False, True)
    """
    known = list(values)
    return max(known) > 1.1 * min(known)


def logarithmic(axis: Axis) -> None:
    """Label a logarithmic axis at 1, 2 and 5 times the powers of ten, with prefixes such as G."""
    from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(EngFormatter(sep=""))


def cells(axes: Axes, table: NDArray[Any], colors: Sequence[Any], cell: float) -> None:
    """Draw a table of small whole numbers as coloured cells with the number in them.

    Args:
        colors: one for each number; where they run out, shades are used instead.
        cell: the size of a cell in inches.
    """
    import matplotlib as mpl
    from matplotlib.colors import ListedColormap

    numbers = int(table.max()) + 1
    shades = list(colors) if numbers <= len(colors) else list(mpl.colormaps[MAP](np.linspace(0.1, 0.95, numbers)))
    _grid(axes, table, ListedColormap(shades[:numbers]), cell * 5).set_clim(-0.5, numbers - 0.5)
    for (row, column), number in np.ndenumerate(table):
        _write(axes, row, column, str(number), shades[number], cell * 24)


def lower_triangle(
    axes: Axes,
    table: NDArray[Any],
    form: str,
    selected: int | None = None,
    limits: tuple[float, float] | None = None,
) -> None:
    """Draw a symmetric matrix: values in the cells where there is room, else a colour bar.

    ``limits``: the values of the lightest and the darkest colour, by default the least and the greatest there is.
    """
    rows = len(table)
    shown = np.ma.masked_where(np.triu(np.ones_like(table, dtype=bool)), table)
    mesh = _grid(axes, shown, MAP, 1.5 if rows <= LABELLED else 0.3)
    mesh.set_clim(limits)
    axes.set_xlim(-0.5, rows - 1.5)
    axes.set_ylim(rows - 0.5, 0.5)
    if rows > ANNOTATED:
        corner = axes.inset_axes((0.6, 0.8, 0.36, 0.025))
        figure: Any = axes.get_figure()
        bar = figure.colorbar(mesh, cax=corner, orientation="horizontal")
        bar.outline.set_visible(False)
    else:
        for row in range(rows):
            for column in range(row):
                value = table[row, column]
                _write(axes, row, column, form.format(value), mesh.to_rgba(value), 8)
    for ticks in (axes.get_xticklabels(), axes.get_yticklabels()):
        for tick in ticks:
            if tick.get_text() == str(selected):
                tick.set(color=SECOND, fontweight="bold")


def _grid(axes: Axes, table: NDArray[Any], colors: Any, gap: float) -> Any:
    """Square cells with white gaps, the first row on top, labels that do not run into each other."""
    rows, columns = table.shape
    edges = np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5
    mesh = axes.pcolormesh(*edges, table, cmap=colors, edgecolors="white", linewidth=gap)
    axes.set_aspect("equal", anchor="NW")
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_xticks(range(0, columns, 1 if columns <= LABELLED else 8))
    axes.set_yticks(range(0, rows, 1 if rows <= LABELLED else 8))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return mesh


def _write(axes: Axes, row: int, column: int, text: str, color: Any, size: float) -> None:
    """Write into a cell, dark on light and light on dark."""
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(color)
    ink = "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.45 else INK
    axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=size)
