"""The picture of flatness: how fast accuracy is lost when noise is added to the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from cgl_ignite.analysis.canvas import headline, new_figure, point_style, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cgl_ignite.analysis.statistics import Interval

__all__ = ["Drops", "flatness_figure"]

Drops = Mapping[float, tuple[float, "Interval | None"]]
"""Points of accuracy lost by strength of the noise, with an interval where there is one."""

SPREAD = 0.5
"""The intervals of all methods lie within so much of the distance of two strengths."""
TITLES: Mapping[str, tuple[str, str]] = {
    "absolute": ("Absolute noise", "standard deviation σ of the noise"),
    "relative": ("Relative noise", "norm of the noise / norm of each tensor"),
}


@styled
def flatness_figure(drops: Mapping[str, Mapping[str, Drops]]) -> Figure:
    """Draw the accuracy lost against the strength of the noise, one line a method.

    Args:
        drops: by kind of noise, ``absolute`` or ``relative``, and method.
    """
    figure = new_figure(4.6 * len(drops) + 1.2, 4.0)
    columns: Sequence[Axes] = figure.subplots(1, len(drops), squeeze=False)[0]
    for axes, (kind, methods) in zip(columns, drops.items(), strict=True):
        strengths = sorted({strength for lost in methods.values() for strength in lost})
        apart = SPREAD * min((high - low for low, high in pairwise(strengths)), default=1.0) / len(methods)
        for place, (name, lost) in enumerate(methods.items()):
            _line(axes, place, name, lost, apart * (place - (len(methods) - 1) / 2))
        title, label = TITLES[kind]
        axes.set(xlabel=label, ylabel="points of test accuracy lost")
        axes.set_xticks(strengths, [f"{strength:g}" for strength in strengths])
        axes.grid(axis="y")
        axes.set_axisbelow(True)
        headline(axes, title, "mean loss of the selected student, with 95 % interval")
    columns[-1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _line(axes: Axes, place: int, name: str, lost: Drops, shift: float) -> None:
    """Draw the means of a method, and their intervals beside those of other methods."""
    style = point_style(place)
    sigmas = sorted(lost)
    axes.plot(sigmas, [lost[sigma][0] for sigma in sigmas], label=name, **style)
    for sigma in sigmas:
        if interval := lost[sigma][1]:
            axes.plot([sigma + shift] * 2, interval, color=style["color"], linewidth=1.6, alpha=0.55, zorder=1)
