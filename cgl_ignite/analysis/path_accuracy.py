"""The picture of all paths through a pool: how good they are, and where the trained students stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cgl_ignite.analysis.canvas import ACCENT, INK, SECOND, headline, line_style, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["PathAccuracies", "paths_figure"]


@dataclass(frozen=True)
class PathAccuracies:
    """Test accuracies in percent of the runs of a method, all with statistics that were estimated in the same way.

    Attributes:
        all: of every path that was measured.
        trained: of those that belong to a student.
        best: for each run, of the path that is best on the holdout.
    """

    all: Sequence[float]
    trained: Sequence[float]
    best: Sequence[float]


@styled
def paths_figure(accuracies: Mapping[str, PathAccuracies]) -> Figure:
    """Draw the distribution of the accuracy of the paths, one row for each method, on one axis."""
    names = list(accuracies)
    figure = new_figure(7.0, 1.25 * len(names) + 1.6)
    rows: Sequence[Axes] = list(figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0])
    every = np.concatenate([list(one.all) for one in accuracies.values()])
    edges = np.linspace(every.min() - 0.5, every.max() + 0.5, 41).tolist()
    for place, (axes, name) in enumerate(zip(rows, names, strict=True)):
        one = accuracies[name]
        axes.hist(one.all, edges, color=line_style(place)["color"], alpha=0.65)
        height = axes.get_ylim()[1]
        axes.plot(one.trained, [0.06 * height] * len(one.trained), "|", color=INK, markersize=11, label="students")
        axes.plot(one.best, [0.92 * height] * len(one.best), "v", color=SECOND, label="best on the holdout")
        axes.axvline(float(np.mean(one.all)), color=ACCENT, linewidth=1, linestyle=":", label="mean of all paths")
        runs = f", {len(one.best)} runs" if len(one.best) > 1 else ""
        axes.set_ylabel(f"{name}\n{len(one.all)} paths{runs}", rotation=0, ha="right", va="center", color=INK)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
    rows[-1].set_xlabel("test accuracy, percent")
    headline(rows[0], "Accuracy of all paths", "with the selected weights; running statistics estimated anew")
    rows[0].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure
