"""The picture of flatness: how fast accuracy is lost when noise is added to the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cgl_ignite.analysis.canvas import headline, new_figure, point_style, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cgl_ignite.analysis.statistics import Interval

__all__ = ["Drops", "flatness_figure"]

Drops = Mapping[float, tuple[float, "Interval | None"]]
"""Points of accuracy lost by strength of the noise, with an interval where there is one."""

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
        for place, (name, lost) in enumerate(methods.items()):
            _line(axes, place, name, lost)
        highest = max(mean for lost in methods.values() for mean, _ in lost.values())
        axes.set_ylim(-0.05 * highest - 0.5, 1.25 * highest + 1)
        title, label = TITLES[kind]
        axes.set(xlabel=label, ylabel="points of test accuracy lost")
        strengths = sorted({strength for lost in methods.values() for strength in lost})
        axes.set_xticks(strengths, [f"{strength:g}" for strength in strengths])
        axes.grid(axis="y")
        headline(axes, title, "mean loss of the selected student, with 95 % interval")
    columns[-1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _line(axes: Axes, place: int, name: str, lost: Drops) -> None:
    sigmas, style = sorted(lost), point_style(place)
    means = [lost[sigma][0] for sigma in sigmas]
    low, high = zip(*(lost[sigma][1] or (lost[sigma][0], lost[sigma][0]) for sigma in sigmas), strict=True)
    axes.fill_between(sigmas, low, high, color=style["color"], alpha=0.18, linewidth=0)
    axes.plot(sigmas, means, label=name, **style)
