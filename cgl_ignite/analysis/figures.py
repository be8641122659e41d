"""Figures of a run: who shares which modules, how much the students differ, how they learned.

Plain :class:`matplotlib.figure.Figure` objects: no window, no global state, ready for a file or a tracker.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cgl_ignite.analysis.canvas import (
    ACCENT,
    INK,
    LABELLED,
    PALETTE,
    SECOND,
    cells,
    headline,
    lower_triangle,
    new_figure,
    styled,
)
from cgl_ignite.analysis.series import Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cgl_ignite.tracking import MetricsRow

__all__ = ["diversity_figure", "routing_figure", "training_figure"]

OTHERS = "#b9c0cc"
WIDEST = 7.0
"""Inches of a matrix of many students."""


@styled
def routing_figure(paths: Sequence[Sequence[int]], selected: int | None = None) -> Figure:
    """Draw which module each student runs in each layer, and how many modules two students have in common.

    Args:
        paths: (students, layers), the number of the module.
        selected: the student whose row is framed.
    """
    table = np.asarray(paths)
    K, L = table.shape
    cell = 0.36 if K <= LABELLED else 0.19
    left_width, right_width = max(L * cell, 3.2), min(max(K, 6) * cell, WIDEST)
    figure = new_figure(left_width + (right_width if K > 1 else 0) + 2.2, K * cell + 1.3)
    axes = figure.subplots(1, 2 if K > 1 else 1, width_ratios=[left_width, right_width][: 1 + (K > 1)], squeeze=False)[
        0
    ]
    cells(axes[0], table, PALETTE, cell)
    modules = sum(len(np.unique(column)) for column in table.T)
    headline(
        axes[0],
        f"Paths of the students over {modules} modules",
        "the same number in a column is the same module",
    )
    axes[0].set(xlabel="layer", ylabel="student")
    if selected is not None:
        _frame(axes[0], selected, L)
    if K > 1:
        common = (table[:, None] == table[None]).sum(axis=2)
        lower_triangle(axes[1], common, "{:.0f}", selected)
        mean = common[np.tril_indices(K, -1)].mean()
        headline(axes[1], "Modules in common", f"of two students; {mean:.1f} of {L} on average")
    return figure


@styled
def diversity_figure(pairwise: Sequence[Sequence[float]], selected: int | None = None) -> Figure:
    """Draw how far apart every two students are in what they predict.

    Args:
        pairwise: (students, students), symmetric.
        selected: the student whose label is marked.
    """
    table = np.asarray(pairwise, dtype=float)
    K = len(table)
    size = min(max(K, 5) * 0.44, WIDEST)
    figure = new_figure(max(size + 1.2, 4.4), size + 1.0)
    axes = figure.subplots()
    lower_triangle(axes, table, "{:.2f}", selected)
    mean = table[np.tril_indices(K, -1)].mean()
    headline(axes, f"Diversity {mean:.3f}", "L2 distance of the predicted probabilities of two students")
    axes.set(xlabel="student", ylabel="student")
    return figure


@styled
def training_figure(rows: Sequence[MetricsRow]) -> Figure:
    """Draw the holdout accuracy of every student over the epochs, and below it losses, φ and diversity.

    Args:
        rows: the rows of a journal, at least one epoch.
    """
    series = Series(rows)
    panels = [draw for draw, key in _PANELS if series.has(key)]
    figure = new_figure(10.5, 6.4)
    grid = figure.add_gridspec(2, max(1, len(panels)), height_ratios=[1.7, 1.0])
    _accuracy(figure.add_subplot(grid[0, :]), series)
    for column, draw in enumerate(panels):
        axes = figure.add_subplot(grid[1, column])
        draw(axes, series)
        _epochs(axes, series)
    return figure


def _accuracy(axes: Axes, series: Series) -> None:
    students = series.students("holdout/accuracy")
    epoch, selected = series.selected()
    for student, values in students.items():
        if student != selected:
            axes.plot(series.epochs, values, color=OTHERS, linewidth=1.0 if len(students) <= 16 else 0.6)
    mean = series.values("holdout/accuracy_mean")
    if len(students) > 1:
        axes.plot(series.epochs, mean, color=INK, linewidth=1.6, linestyle=(0, (4, 2)), label="mean of all")
        axes.plot([], [], color=OTHERS, label="the other students")
    axes.plot(series.epochs, students[selected], color=ACCENT, linewidth=2.2, label=f"student {selected}")
    best = students[selected][series.epochs.index(epoch)]
    axes.plot(epoch, best, "o", color=SECOND, markersize=8, markeredgecolor="white", zorder=5)
    axes.annotate(
        f"selected: student {selected}, epoch {epoch}, {best:.2f} %",
        (epoch, best),
        xytext=(0, 11),
        textcoords="offset points",
        ha="right" if epoch > np.mean(series.epochs) else "left",
        color=SECOND,
        fontweight="bold",
    )
    axes.margins(y=0.12)
    axes.set_title("Holdout accuracy in percent")
    axes.legend(loc="lower right", ncols=3)
    _epochs(axes, series)


def _cross_entropy(axes: Axes, series: Series) -> None:
    _band(axes, series, "holdout/cross_entropy", SECOND, "holdout")
    _band(axes, series, "training/cross_entropy", ACCENT, "training")
    axes.set_title("Cross-entropy with labels")
    axes.legend(fontsize=8, handlelength=1.2)


def _imitation(axes: Axes, series: Series) -> None:
    _band(axes, series, "training/imitation", "#009E73", "KL")
    axes.set_title("KL to the imitated")


def _ramp(axes: Axes, series: Series) -> None:
    values = series.values("schedule/ramp")
    axes.fill_between(series.epochs, 0, values, color="#CC79A7", alpha=0.25, linewidth=0)
    axes.plot(series.epochs, values, color="#CC79A7", linewidth=1.8)
    axes.set_ylim(0, 1.08)
    axes.set_title("Ramp-up φ")


def _diversity(axes: Axes, series: Series) -> None:
    axes.plot(series.epochs, series.values("holdout/diversity"), color=INK, linewidth=1.8)
    axes.set_title("Diversity")


_PANELS: tuple[tuple[Callable[[Axes, Series], None], str], ...] = (
    (_cross_entropy, "training/cross_entropy_mean"),
    (_imitation, "training/imitation_max"),
    (_ramp, "training/imitation_max"),
    (_diversity, "holdout/diversity"),
)


def _band(axes: Axes, series: Series, key: str, color: str, label: str) -> None:
    """The mean over students, and the range from the least to the greatest."""
    low, high = series.values(f"{key}_min"), series.values(f"{key}_max")
    axes.fill_between(series.epochs, low, high, color=color, alpha=0.18, linewidth=0)
    axes.plot(series.epochs, series.values(f"{key}_mean"), color=color, linewidth=1.8, label=label)


def _epochs(axes: Axes, series: Series) -> None:
    from matplotlib.ticker import MaxNLocator

    first, last = series.epochs[0], series.epochs[-1]
    axes.set_xlim(first - 0.5, last + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    axes.set_xlabel("epoch")
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    if first == last:
        for line in axes.lines:
            line.set_marker("o")


def _frame(axes: Axes, student: int, layers: int) -> None:
    """Frame the row of the selected student."""
    from matplotlib.patches import Rectangle

    row: Any = {"fill": False, "edgecolor": INK, "linewidth": 1.8, "clip_on": False, "zorder": 5}
    axes.add_patch(Rectangle((-0.5, student - 0.5), layers, 1, **row))
    axes.annotate("selected", (layers - 0.35, student), va="center", fontsize=8, annotation_clip=False)
