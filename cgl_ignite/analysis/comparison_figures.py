"""Figures that compare methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import TYPE_CHECKING

import numpy as np

from cgl_ignite.analysis.canvas import INK, LINES, PALETTE, headline, method_color, new_figure, styled
from cgl_ignite.analysis.series import Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cgl_ignite.tracking import MetricsRow

__all__ = ["accuracy_figure", "curves_figure"]

ROOM = 0.35
"""The axis begins so much of the range of all values below the least one."""


@styled
def accuracy_figure(scores: Mapping[str, Sequence[float]]) -> Figure:
    """Draw the test accuracy of each method: mean, standard deviation, and every seed.

    Args:
        scores: in percent, one value per seed.
    """
    names = list(scores)
    figure = new_figure(max(0.95 * len(names) + 1.4, 4.6), 4.0)
    axes = figure.subplots()
    for place, name in enumerate(names):
        values, color = scores[name], method_color(place)
        axes.bar(place, fmean(values), width=0.62, color=color, alpha=0.55, zorder=2)
        if len(values) > 1:
            bar = {"color": INK, "capsize": 4, "linewidth": 1.3, "zorder": 3}
            axes.errorbar(place, fmean(values), stdev(values), **bar)  # type: ignore[arg-type]
        spots = place + (np.linspace(-0.14, 0.14, len(values)) if len(values) > 1 else np.zeros(1))
        axes.plot(spots, values, "o", color=color, markeredgecolor=INK, markersize=5, zorder=4)
    low, high = _limits([end for values in scores.values() for end in _ends(values)])
    axes.set_ylim(low, high)
    for place, name in enumerate(names):
        axes.annotate(f"{fmean(scores[name]):.2f}", (place, low), (0, 4), textcoords="offset points", ha="center")
    axes.set_xticks(range(len(names)), names, rotation=0 if max(map(len, names)) < 10 else 20)
    axes.tick_params(axis="x", length=0, labelcolor=INK)
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.set_ylabel(f"percent (the axis starts at {low:.1f}, not at 0)" if low else "percent")
    many = max(map(len, scores.values())) > 1
    headline(
        axes, "Test accuracy of the selected student", "mean and deviation; dots are seeds" if many else "one seed"
    )
    return figure


@styled
def curves_figure(journals: Mapping[str, Sequence[Sequence[MetricsRow]]], key: str, title: str, detail: str) -> Figure:
    """Draw a value of all methods over the epochs: the mean over seeds, and the range of the seeds.

    Args:
        journals: for each method, the rows of each seed.
        key: the value that is drawn; a method that lacks it is left out.
    """
    figure = new_figure(7.6, 4.3)
    axes = figure.subplots()
    for place, (name, seeds) in enumerate(journals.items()):
        _curve(axes, place, name, [Series(rows) for rows in seeds], key)
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlabel("epoch")
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    many = max(map(len, journals.values())) > 1
    headline(axes, title, f"{detail}; mean over seeds, and their range" if many else detail)
    return figure


def _curve(axes: Axes, place: int, name: str, seeds: Sequence[Series], key: str) -> None:
    seeds = [series for series in seeds if np.isfinite(series.values(key)).any()]
    if not seeds:
        return
    epochs = min((series.epochs for series in seeds), key=len)
    values = np.array([series.values(key)[: len(epochs)] for series in seeds])
    color, line = method_color(place), LINES[place // len(PALETTE) % len(LINES)]
    axes.fill_between(epochs, values.min(axis=0), values.max(axis=0), color=color, alpha=0.18, linewidth=0)
    marker = "o" if len(epochs) == 1 else ""
    axes.plot(epochs, values.mean(axis=0), color=color, linewidth=1.9, linestyle=line, marker=marker, label=name)


def _ends(values: Sequence[float]) -> list[float]:
    """Name the values that must be seen: the seeds, and the ends of the error bar."""
    deviation = stdev(values) if len(values) > 1 else 0.0
    return [*values, fmean(values) - deviation, fmean(values) + deviation]


def _limits(values: Sequence[float]) -> tuple[float, float]:
    """Leave room around the values, for the differences to be seen; the axis starts at 0 if that is near."""
    least, greatest = min(values), max(values)
    width = max(greatest - least, 1.0)
    low = least - ROOM * width
    return low if low > greatest / 2 else 0.0, min(100.0, greatest + 0.15 * width)
