"""The picture of growth: what a sample costs and how large the group is, by the number of students."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

from growth import SMALL_GROUPS

from cgl_ignite.analysis.canvas import PALETTE, headline, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["growth_figure"]

COLORS = (PALETTE[7], *PALETTE[:4], PALETTE[6], PALETTE[5])
"""The baseline grey, the two of CGL darker than the others."""
WIDTHS = {SMALL_GROUPS: 2.4}
TICKS = [digit * 10.0**power for power in range(-4, 4) for digit in (1, 2, 5)]


@styled
def growth_figure(record: Mapping[str, Any]) -> Figure:
    """Draw milliseconds of a sample and parameters of the group over the number of students."""
    figure = new_figure(10, 4.2)
    time, size = figure.subplots(1, 2)
    panels: Sequence[tuple[Axes, str, str, Callable[[Any], float]]] = (
        (time, "A training sample", "milliseconds", lambda row: row["milliseconds_per_sample"]["median"]),
        (size, "The whole group", "parameters", lambda row: row["parameters"]),
    )
    for axes, title, detail, value in panels:
        for color, (method, rows) in zip(cycle(COLORS), record["methods"].items(), strict=False):
            points = [row["students"] for row in rows], [value(row) for row in rows]
            width = WIDTHS.get(method, 1.2)
            axes.plot(*points, marker="o", markersize=3.5, linewidth=width, color=color, label=method)
        headline(axes, title, f"{detail}, by the number of students")
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        counts = sorted({row["students"] for rows in record["methods"].values() for row in rows})
        axes.set_xticks(counts, [str(students) for students in counts])
        axes.grid(visible=True)
    low, high = time.get_ylim()
    time.set_yticks([tick for tick in TICKS if low <= tick <= high])
    time.yaxis.set_major_formatter("{x:g}")
    time.minorticks_off()
    size.legend(fontsize=8)
    return figure
