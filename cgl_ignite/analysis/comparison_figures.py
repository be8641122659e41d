"""Figures that compare methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

import numpy as np

from cgl_ignite.analysis.canvas import (
    INK,
    LINES,
    PALETTE,
    figure_beside_legend,
    headline,
    method_color,
    new_figure,
    styled,
)
from cgl_ignite.analysis.series import Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from cgl_ignite.tracking import MetricsRow

__all__ = ["accuracy_figure", "curves_figure"]

ROOM = 0.35
"""The axis begins so much of the range of all values below the least one."""
ERROR_BAR: dict[str, Any] = {"color": INK, "linewidth": 1.3, "zorder": 3}
SEED: dict[str, Any] = {"markeredgecolor": INK, "markersize": 5, "zorder": 4}


@styled
def accuracy_figure(scores: Mapping[str, Sequence[float]]) -> Figure:
    """Draw the test accuracy of each method as a bar: mean, standard deviation, and every seed.

    Args:
        scores: in percent, one value per seed; the first method is on top.
    """
    low, high = _limits([end for values in scores.values() for end in _ends(values)])
    figure = new_figure(7.6, 0.3 * len(scores) + 1.3)
    axes = figure.subplots()
    for place, values in enumerate(scores.values()):
        color = method_color(place)
        axes.barh(place, fmean(values), height=0.66, color=color, alpha=0.55, zorder=2)
        if len(values) > 1:
            axes.errorbar(fmean(values), place, xerr=stdev(values), capsize=3, **ERROR_BAR)
        axes.plot(values, _spots(place, values), "o", color=color, **SEED)
        axes.annotate(f"{fmean(values):.2f}", (low, place), (4, 0), textcoords="offset points", va="center")
    axes.set_xlim(low, high)
    axes.set_ylim(len(scores) - 0.4, -0.6)
    axes.set_yticks(range(len(scores)), list(scores))
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    axes.set_xlabel(f"percent (the axis starts at {low:.1f}, not at 0)" if low else "percent")
    many = max(map(len, scores.values())) > 1
    headline(
        axes, "Test accuracy of the selected student", "mean and deviation; dots are seeds" if many else "one seed"
    )
    return figure


def _spots(place: int, values: Sequence[float]) -> NDArray[Any]:
    """Place the seeds of a method side by side."""
    return place + (np.linspace(-0.14, 0.14, len(values)) if len(values) > 1 else np.zeros(1))


@styled
def curves_figure(journals: Mapping[str, Sequence[Sequence[MetricsRow]]], key: str, title: str, detail: str) -> Figure:
    """Draw a value of all methods over the epochs: the mean over seeds, and the range of the seeds.

    Args:
        journals: for each method, the rows of each seed.
        key: the value that is drawn; a method that lacks it is left out.
    """
    figure, columns = figure_beside_legend(len(journals))
    axes = figure.subplots()
    for place, (name, seeds) in enumerate(journals.items()):
        _curve(axes, place, name, [Series(rows) for rows in seeds], key)
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlabel("epoch")
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), ncols=columns)
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
