"""Accuracy against the cost of the training: one curve for each method that was trained for several lengths."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby, pairwise
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from cgl_ignite.analysis.canvas import INK, PALETTE, figure_beside_legend, headline, logarithmic, styled
from cgl_ignite.analysis.statistics import Interval, paired_interval, spread, t_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cgl_ignite.analysis.comparison import TableRow

__all__ = [
    "CostPoint",
    "Crossing",
    "Lead",
    "cost_curves",
    "cost_figure",
    "crossings",
    "curves_of",
    "last_leads",
    "reference_curves",
]


@dataclass(frozen=True)
class CostPoint:
    """A training of a method: its multiply-adds, and the test accuracy in percent by seed."""

    work: float
    scores: Mapping[int, float]

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return fmean(self.scores.values())


class Crossing(NamedTuple):
    """Where the curves of two methods cross.

    Attributes:
        before: the method that is better at lower cost; ``after``: at higher cost.
        work: the multiply-adds where they cross.
        certain: whether each has a lead, on its side, whose interval over seeds leaves out 0.
    """

    before: str
    after: str
    work: float
    certain: bool


class Lead(NamedTuple):
    """How far one curve is ahead of another at one cost.

    Attributes:
        work: the multiply-adds.
        by_seed: the differences in percent of the seeds that all points of both curves have.
        mean: their mean; without such seeds the difference of the means.
    """

    work: float
    by_seed: Sequence[float]
    mean: float

    @property
    def over_seeds(self) -> Interval | None:
        """The t-interval, paired by seed; None for fewer than two."""
        return paired_interval(self.by_seed) if self.by_seed else None

    @property
    def certain(self) -> bool:
        """Whether the interval over seeds leaves out 0."""
        return self.over_seeds is not None and self.over_seeds.leaves_out_zero


def cost_curves(points: Iterable[tuple[str, CostPoint]]) -> dict[str, list[CostPoint]]:
    """Gather the points of each curve, in the order of their cost.

    Example:
        >>> one = {1: 50.0}
        >>> curves = cost_curves([("a", CostPoint(2, one)), ("a", CostPoint(1, one)), ("b", CostPoint(1, one))])
        >>> {name: [point.work for point in points] for name, points in curves.items()}
        {'a': [1, 2], 'b': [1]}
    """
    curves: dict[str, list[CostPoint]] = {}
    for name, point in points:
        curves.setdefault(name, []).append(point)
    return {name: sorted(curve, key=lambda point: point.work) for name, curve in curves.items()}


def curves_of(rows: Sequence[TableRow]) -> dict[str, list[CostPoint]]:
    """Gather the curves of the rows of a table that have a finished run."""
    return cost_curves((row.curve, CostPoint(row.cost.work, row.accuracies)) for row in rows if row.accuracies)


def reference_curves(rows: Sequence[TableRow]) -> list[str]:
    """Name the curves that rows of several lengths are measured against; none where rows do not differ by length."""
    curves = {row.method: row.curve for row in rows if row.length}
    return list(dict.fromkeys(curves[row.against] for row in rows if row.against in curves))


def crossings(curves: Mapping[str, Sequence[CostPoint]]) -> Iterator[Crossing]:
    """Find where the curves of two methods cross.

    Means are joined by straight lines over the logarithm of the cost. Two curves are compared where both are known.

    Example:
        >>> up = [CostPoint(1, {1: 50.0}), CostPoint(100, {1: 70.0})]
        >>> level = [CostPoint(1, {1: 60.0}), CostPoint(100, {1: 60.0})]
        >>> [(cross.before, cross.after, round(cross.work)) for cross in crossings({"up": up, "level": level})]
        [('level', 'up', 10)]
    """
    for (name, one), (other_name, other) in combinations(curves.items(), 2):
        ahead = [lead for lead in _leads(one, other) if lead.mean]
        sides = [list(side) for _, side in groupby(ahead, key=lambda lead: lead.mean > 0)]
        for before, after in pairwise(sides):
            last, first = before[-1], after[0]
            share = last.mean / (last.mean - first.mean)
            work = math.exp(math.log(last.work) + share * math.log(first.work / last.work))
            certain = all(any(lead.certain for lead in side) for side in (before, after))
            names = (name, other_name) if last.mean > 0 else (other_name, name)
            yield Crossing(*names, work, certain)


def last_leads(curves: Mapping[str, Sequence[CostPoint]], reference: str) -> Iterator[tuple[str, Lead]]:
    """Tell how far each method is ahead of the reference at the highest cost for which both curves are known.

    Without a curve of the reference there is nothing to tell.

    Example:
        >>> one = [CostPoint(1, {1: 50.0}), CostPoint(100, {1: 70.0})]
        >>> two = [CostPoint(10, {1: 55.0}), CostPoint(1000, {1: 75.0})]
        >>> [(name, lead.work, lead.mean) for name, lead in last_leads({"one": one, "two": two}, "one")]
        [('two', 100, -5.0)]
    """
    for name, curve in curves.items():
        leads = list(_leads(curve, curves[reference])) if name != reference and reference in curves else []
        if leads:
            yield name, leads[-1]


def _leads(one: Sequence[CostPoint], other: Sequence[CostPoint]) -> Iterator[Lead]:
    """Subtract one curve from another at every cost that either was trained for, where both are known."""
    points = (*one, *other)
    seeds = [seed for seed in points[0].scores if all(seed in point.scores for point in points)]
    ends = max(one[0].work, other[0].work), min(one[-1].work, other[-1].work)
    for work in sorted({point.work for point in points if ends[0] <= point.work <= ends[1]}):
        by_seed = [_at(one, work, seed) - _at(other, work, seed) for seed in seeds]
        yield Lead(work, by_seed, fmean(by_seed or [_at(one, work) - _at(other, work)]))


def _at(curve: Sequence[CostPoint], work: float, seed: int | None = None) -> float:
    """Read a curve between its points: of one seed, or the mean."""
    heights = [point.mean if seed is None else point.scores[seed] for point in curve]
    for (left, low), (right, high) in pairwise(zip((point.work for point in curve), heights, strict=True)):
        if left <= work <= right:
            return low + (high - low) * (math.log(work / left) / math.log(right / left) if right > left else 0.0)
    return heights[0] if work <= curve[0].work else heights[-1]


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
            scores = list(point.scores.values())
            interval = t_interval(scores)
            if interval and spread(scores).std:
                bounds = [[point.mean - interval.low], [interval.high - point.mean]]
                axes.errorbar([point.work], [point.mean], bounds, color=color, capsize=3, linewidth=1.0, zorder=2)
            axes.plot([point.work] * len(scores), scores, ".", color=color, alpha=0.5, zorder=1)
    every = [score for points in curves.values() for point in points for score in point.scores.values()]
    room = max(1.0, 0.15 * (max(every) - min(every)))
    axes.set_ylim(max(0.0, min(every) - room), min(100.0, max(every) + room))
    axes.set_xscale("log")
    logarithmic(axes.xaxis)
    axes.set_xlabel("multiply-adds of the training, all students together (logarithmic)")
    axes.tick_params(labelcolor=INK)
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), ncols=columns)
    headline(axes, "Test accuracy in percent, against the cost of the training", "mean, 95 % interval, every seed")
    return figure
