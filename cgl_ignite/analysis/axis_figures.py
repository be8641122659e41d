"""Figures over the axes of a comparison: a metric along an axis, two metrics along it, and a grid."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

import numpy as np

from cgl_ignite.analysis.canvas import INK, LINES, MARKERS, MUTED, headline, logarithmic, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["AxisValue", "axis_figure", "counts_figure", "grid_figure", "is_logarithmic", "two_metrics_figure"]

SHADES = ("#0072B2", "#D55E00", "#111827", "#009E73", "#CC79A7", "#E69F00")
"""Colours of different lightness, so that curves can be told apart in grey, too."""
TYPE = {"font.size": 12, "axes.titlesize": 13, "legend.fontsize": 11}
"""Large enough for a figure that is printed at half the width of a page."""
WIDE = 10
"""So many times the smallest count the largest one must be for a logarithmic scale."""


@dataclass(frozen=True)
class AxisValue:
    """A point of an axis: its label and, if it is a number, that number."""

    label: str
    number: float | None = None


Curves = Mapping[str, Mapping[AxisValue, Sequence[float]]]
"""For each curve the values of all seeds, by the point of the axis."""


def is_logarithmic(values: Sequence[float]) -> bool:
    """Tell whether values ask for a logarithmic axis: all positive, and each a multiple of the one before, nearly.

    Example:
        >>> is_logarithmic([0.125, 0.25, 0.5, 1.0]), is_logarithmic([0, 20, 40, 80]), is_logarithmic([1, 2, 3, 4])
        (True, False, False)
        >>> is_logarithmic([0.001, 0.003, 0.01])
        True
    """
    ordered = sorted(set(values))
    if len(ordered) < 3 or ordered[0] <= 0 or ordered[-1] / ordered[0] < 6:
        return False
    ratios = [after / before for before, after in pairwise(ordered)]
    return max(ratios) <= 1.5 * min(ratios)


@styled
def axis_figure(
    curves: Curves, name: str, title: str, detail: str, constant: Mapping[str, Sequence[float]] | None = None
) -> Figure:
    """Draw a metric along an axis: the mean with its deviation and every seed, one line a curve.

    Args:
        curves: what is drawn.
        name: of the axis.
        title: of the figure, and ``detail``, the line below it.
        constant: values of rows that have no point on the axis, drawn as level lines.
    """
    figure = _figure()
    axes = figure.subplots()
    places = _scale(axes, curves, name)
    for number, (curve, points) in enumerate(curves.items()):
        _curve(axes, {places[point]: values for point, values in points.items()}, number, curve)
    for number, (curve, values) in enumerate((constant or {}).items()):
        axes.axhline(fmean(values), color=MUTED, linestyle=LINES[-1 - number % 2], linewidth=1.8, label=curve, zorder=1)
    axes.grid(axis="y")
    if len(curves) + len(constant or {}) > 1:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    headline(axes, title, detail)
    return figure


@styled
def two_metrics_figure(
    first: Mapping[AxisValue, Sequence[float]],
    second: Mapping[AxisValue, Sequence[float]],
    name: str,
    titles: tuple[str, str],
    title: str,
) -> Figure:
    """Draw two metrics of one curve along the same axis, each with a scale of its own (the paper's Fig. 4)."""
    figure = _figure()
    axes = figure.subplots()
    places = _scale(axes, {"": first}, name)
    other = axes.twinx()
    for number, (scale, points) in enumerate(((axes, first), (other, second))):
        _curve(scale, {places[point]: values for point, values in points.items()}, number, titles[number])
        scale.set_ylabel(titles[number], color=SHADES[number])
        scale.tick_params(axis="y", labelcolor=SHADES[number])
    other.spines["right"].set_visible(True)
    lines = [line for scale in (axes, other) for line in scale.get_legend_handles_labels()[0]]
    axes.legend(lines, list(titles), loc="upper left", bbox_to_anchor=(0.0, -0.16), ncols=2)
    headline(axes, title, "mean, deviation, every seed")
    return figure


@styled
def counts_figure(counts: Mapping[str, Mapping[AxisValue, float]], name: str, title: str, detail: str) -> Figure:
    """Draw what rows cost along an axis, such as parameters or multiply-adds (Fig. 3b).

    The scale is logarithmic if the dearest row costs at least :data:`WIDE` times as much as the cheapest.
    """
    from matplotlib.ticker import EngFormatter

    figure = _figure()
    axes = figure.subplots()
    places = _scale(
        axes, {curve: {point: [value] for point, value in one.items()} for curve, one in counts.items()}, name
    )
    for number, (curve, points) in enumerate(counts.items()):
        _curve(axes, {places[point]: [value] for point, value in points.items()}, number, curve)
    values = [value for points in counts.values() for value in points.values()]
    if max(values) >= WIDE * min(values):
        axes.set_yscale("log")
        logarithmic(axes.yaxis)
        detail += ", on a logarithmic scale"
    else:
        axes.set_ylim(0, 1.08 * max(values))
        axes.yaxis.set_major_formatter(EngFormatter(sep=""))
    axes.grid(axis="y")
    if len(counts) > 1:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    headline(axes, title, detail)
    return figure


@styled
def grid_figure(table: Mapping[tuple[str, str], float], names: tuple[str, str], title: str, form: str) -> Figure:
    """Draw the means of a grid as a map: the first axis goes down, the second one to the right."""
    rows, columns = (list(dict.fromkeys(key[side] for key in table)) for side in (0, 1))
    values = np.array([[table.get((row, column), math.nan) for column in columns] for row in rows])
    figure = new_figure(1.1 * len(columns) + 2.6, 0.7 * len(rows) + 2.2)
    axes = figure.subplots()
    mesh: Any = axes.pcolormesh(np.ma.masked_invalid(values), cmap="Greys", edgecolors="white", linewidth=2)
    low, high = np.nanmin(values), np.nanmax(values)
    mesh.set_clim(low - 0.1 * (high - low), high + 0.3 * (high - low) or low + 1)
    for (row, column), value in np.ndenumerate(values):
        dark = value - low > 0.55 * (high - low)
        text = "–" if math.isnan(value) else form.format(value)
        axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", color="white" if dark else INK, fontsize=12)
    axes.set_xticks(np.arange(len(columns)) + 0.5, columns, fontsize=11)
    axes.set_yticks(np.arange(len(rows)) + 0.5, rows, fontsize=11)
    axes.invert_yaxis()
    axes.tick_params(length=0, labelcolor=INK)
    axes.spines[:].set_visible(False)
    axes.set_xlabel(names[1], fontsize=12)
    axes.set_ylabel(names[0], fontsize=12)
    headline(axes, title, "mean over seeds")
    return figure


def _figure() -> Figure:
    import matplotlib as mpl

    settings: Any = mpl.rcParams
    settings.update(TYPE)
    return new_figure(7.4, 4.4)


def _scale(axes: Axes, curves: Curves, name: str) -> dict[AxisValue, float]:
    """Place the points of an axis: numbers where they belong, with a logarithm if they ask for one, else in a row."""
    from matplotlib.ticker import NullLocator

    points = list(dict.fromkeys(point for one in curves.values() for point in one))
    numbers = [point.number for point in points if point.number is not None]
    numeric = len(numbers) == len(points)
    places = {
        point: point.number if numeric and point.number is not None else float(i) for i, point in enumerate(points)
    }
    if numeric and is_logarithmic(numbers):
        axes.set_xscale("log", base=2)
    axes.set_xticks(list(places.values()), [point.label for point in places])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(labelcolor=INK)
    axes.set_xlabel(name)
    axes.set_axisbelow(True)
    return places


def _curve(axes: Axes, points: Mapping[float, Sequence[float]], number: int, name: str) -> None:
    color, line, marker = (of[number % len(of)] for of in (SHADES, LINES, MARKERS))
    ordered = sorted(points.items())
    means = [fmean(values) for _, values in ordered]
    deviations = [stdev(values) if len(values) > 1 else 0.0 for _, values in ordered]
    axes.plot([at for at, _ in ordered], means, color=color, linestyle=line, marker=marker, label=name, zorder=3)
    if any(deviations):
        bar: dict[str, Any] = {"fmt": "none", "ecolor": color, "capsize": 4, "elinewidth": 1.2, "zorder": 2}
        axes.errorbar([at for at, _ in ordered], means, deviations, **bar)
    for at, values in ordered:
        if len(values) > 1:
            axes.plot([at] * len(values), values, ".", color=color, alpha=0.55, markersize=6, zorder=2)
