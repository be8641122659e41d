"""Accuracy against the cost of the training: one curve for each method that was trained for several lengths."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from statistics import fmean
from typing import TYPE_CHECKING

from cgl_ignite.analysis.canvas import INK, PALETTE, figure_beside_legend, headline, logarithmic, styled
from cgl_ignite.analysis.statistics import spread, t_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["CostPoint", "cost_curves", "cost_figure", "crossings"]


@dataclass(frozen=True)
class CostPoint:
    """A training of a method: its multiply-adds, and the test accuracy of each seed in percent."""

    work: float
    scores: Sequence[float]

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return fmean(self.scores)


def cost_curves(rows: Mapping[str, CostPoint]) -> dict[str, list[CostPoint]]:
    """Gather the lengths of each method, ``NAME x1``, ``NAME x2`` ..., in the order of their cost.

    Example:
        >>> curves = cost_curves({"a x2": CostPoint(2, [60]), "a x1": CostPoint(1, [50]), "b": CostPoint(1, [55])})
        >>> {name: [point.work for point in points] for name, points in curves.items()}
        {'a': [1, 2], 'b': [1]}
    """
    curves: dict[str, list[CostPoint]] = {}
    for name, point in rows.items():
        curves.setdefault(re.sub(r" x\d+$", "", name), []).append(point)
    return {name: sorted(points, key=lambda point: point.work) for name, points in curves.items()}


def crossings(curves: Mapping[str, Sequence[CostPoint]]) -> Iterator[tuple[str, str, float]]:
    """Find where the curves of two methods cross: the one that is better before, the other, and the multiply-adds.

    Means are joined by straight lines over the logarithm of the cost. Two curves are compared where both are known.

    Example:
        >>> up, level = [CostPoint(1, [50]), CostPoint(100, [70])], [CostPoint(1, [60]), CostPoint(100, [60])]
        >>> [(first, second, round(work)) for first, second, work in crossings({"up": up, "level": level})]
        [('level', 'up', 10)]
    """
    for (name, one), (other_name, other) in combinations(curves.items(), 2):
        ends = max(one[0].work, other[0].work), min(one[-1].work, other[-1].work)
        places = sorted({point.work for point in (*one, *other) if ends[0] <= point.work <= ends[1]})
        ahead = [(work, _at(one, work) - _at(other, work)) for work in places]
        for (before, first), (after, second) in pairwise(ahead):
            if first * second < 0:
                share = first / (first - second)
                work = math.exp(math.log(before) + share * math.log(after / before))
                yield (name, other_name, work) if first > 0 else (other_name, name, work)


def _at(curve: Sequence[CostPoint], work: float) -> float:
    """Read a curve between its points."""
    for left, right in pairwise(curve):
        if left.work <= work <= right.work:
            share = math.log(work / left.work) / math.log(right.work / left.work) if right.work > left.work else 0.0
            return left.mean + share * (right.mean - left.mean)
    return curve[0].mean if work <= curve[0].work else curve[-1].mean


@styled
def cost_figure(curves: Mapping[str, Sequence[CostPoint]]) -> Figure:
    """Draw test accuracy against multiply-adds: means with their t-interval over seeds, and every seed."""
    figure, columns = figure_beside_legend(len(curves))
    axes = figure.subplots()
    for place, (name, points) in enumerate(curves.items()):
        color = PALETTE[place % len(PALETTE)]
        works, means = [point.work for point in points], [point.mean for point in points]
        axes.plot(works, means, "o-" if len(points) > 1 else "o", color=color, label=name, zorder=3)
        for point in points:
            interval = t_interval(point.scores)
            if interval and spread(point.scores).std:
                bounds = [[point.mean - interval.low], [interval.high - point.mean]]
                axes.errorbar([point.work], [point.mean], bounds, color=color, capsize=3, linewidth=1.0, zorder=2)
            axes.plot([point.work] * len(point.scores), point.scores, ".", color=color, alpha=0.5, zorder=1)
    scores = [score for points in curves.values() for point in points for score in point.scores]
    room = max(1.0, 0.15 * (max(scores) - min(scores)))
    axes.set_ylim(max(0.0, min(scores) - room), min(100.0, max(scores) + room))
    axes.set_xscale("log")
    logarithmic(axes.xaxis)
    axes.set_xlabel("multiply-adds of the training, all students together (logarithmic)")
    axes.tick_params(labelcolor=INK)
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), ncols=columns)
    headline(axes, "Test accuracy in percent, against the cost of the training", "mean, 95 % interval, every seed")
    return figure
