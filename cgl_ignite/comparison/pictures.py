"""The pictures of a comparison with axes: what its rows measured and cost, along one axis or over a grid."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from cgl_ignite.analysis.axis_figures import AxisValue, axis_figure, counts_figure, grid_figure, two_metrics_figure
from cgl_ignite.analysis.canvas import differ
from cgl_ignite.analysis.comparison import FinishedRun, MethodRow

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["axis_figures"]

ACCURACY, DIVERSITY, SEEDS = "Test accuracy in percent", "Diversity", "mean, deviation, every seed"
APART = "mean L2 distance of the predictions of two students"


def axis_figures(methods: Sequence[MethodRow]) -> dict[str, Figure]:
    """Draw the rows of a comparison along its axis, or over its two axes; figures by their names."""
    finished = [method for method in methods if method.runs and method.place is not None]
    names = list(dict.fromkeys(name for method in finished for name in (method.place.points if method.place else ())))
    if len(names) == 1:
        return _along(finished, names[0])
    return _grids(finished, (names[0], names[1])) if len(names) == 2 else {}


def _along(methods: Sequence[MethodRow], axis: str) -> dict[str, Figure]:
    accuracy = _curves(methods, axis, lambda run: run.test_accuracy)
    level = {method.name: _values(method, lambda run: run.test_accuracy) for method in methods if not _points(method)}
    figures = {"axis_accuracy": axis_figure(accuracy, axis, ACCURACY, SEEDS, level)}
    diversity = _curves(methods, axis, lambda run: run.diversity)
    if len(accuracy) == 1 and len(diversity) == 1:
        ((curve, first),), (second,) = accuracy.items(), diversity.values()
        figures["axis_diversity"] = two_metrics_figure(
            first, second, axis, (ACCURACY, DIVERSITY), f"Accuracy and diversity: {curve}"
        )
    elif diversity:
        figures["axis_diversity"] = axis_figure(diversity, axis, DIVERSITY, f"{APART}; {SEEDS}")
    parameters = _curves(methods, axis, lambda run: run.parameters)
    counts = {curve: {point: values[0] for point, values in one.items()} for curve, one in parameters.items()}
    if _differ(counts):
        figures["axis_parameters"] = counts_figure(counts, axis, "Parameters", "of all students together")
    work = {
        curve: {_point(method, axis): method.cost.work for method in methods if _on(method, curve, axis)}
        for curve in accuracy
    }
    if _differ(work):
        figures["axis_cost"] = counts_figure(work, axis, "Multiply-adds", "of the training, all students together")
    return figures


def _grids(methods: Sequence[MethodRow], names: tuple[str, str]) -> dict[str, Figure]:
    """Draw one map a curve."""
    tables: dict[str, dict[tuple[str, str], float]] = {}
    for method in methods:
        if method.place is not None and len(points := _points(method)) == 2:
            key = (points[names[0]].label, points[names[1]].label)
            scores = _values(method, lambda run: run.test_accuracy)
            tables.setdefault(method.place.curve, {})[key] = fmean(scores)
    return {
        f"grid_{number}": grid_figure(table, names, f"{ACCURACY}: {curve}", "{:.2f}")
        for number, (curve, table) in enumerate(tables.items(), start=1)
    }


def _curves(
    methods: Sequence[MethodRow], axis: str, read: Callable[[FinishedRun], float | None]
) -> dict[str, dict[AxisValue, list[float]]]:
    """Gather a value of all runs by curve and point; points without a value are left out."""
    curves: dict[str, dict[AxisValue, list[float]]] = {}
    for method in methods:
        values = _values(method, read)
        if method.place is not None and _points(method) and values:
            curves.setdefault(method.place.curve, {})[_point(method, axis)] = values
    return curves


def _values(method: MethodRow, read: Callable[[FinishedRun], float | None]) -> list[float]:
    return [value for run in method.runs.values() if (value := read(run)) is not None]


def _points(method: MethodRow) -> Mapping[str, AxisValue]:
    points = method.place.points if method.place else {}
    return {name: AxisValue(point.label, point.number) for name, point in points.items()}


def _point(method: MethodRow, axis: str) -> AxisValue:
    return _points(method)[axis]


def _on(method: MethodRow, curve: str, axis: str) -> bool:
    return method.place is not None and method.place.curve == curve and axis in method.place.points


def _differ(counts: Mapping[str, Mapping[AxisValue, float]]) -> bool:
    """Whether any curve changes along the axis."""
    return any(differ(one.values()) for one in counts.values() if one)
