"""Which pictures a comparison with axes has."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from cgl_ignite.analysis.comparison import Cost, MethodRow
from cgl_ignite.comparison.pictures import axis_figures
from cgl_ignite.config.axes import Point
from cgl_ignite.config.rows import Place


def row(curve: str, work: float = 1.0, diversity: float | None = None, **points: float) -> MethodRow:
    """A row of two seeds."""
    name = f"{curve} {points}"
    runs: Any = {
        seed: SimpleNamespace(test_accuracy=70.0 + seed, diversity=diversity, parameters=100) for seed in (1, 2)
    }
    place = Place(curve, points={axis: Point(value, str(value)) for axis, value in points.items()})
    return MethodRow(name, "digits", "resnet8", Cost(1, 1, 1.0, work), runs, place=place)


def names(*rows: MethodRow) -> set[str]:
    return set(axis_figures(rows))


def test_one_axis_has_accuracy_diversity_and_what_differs_in_cost(pictures: None) -> None:
    assert names(row("cgl", 1.0, 0.1, p=0.25), row("cgl", 2.0, 0.2, p=0.5)) == {
        "axis_accuracy", "axis_diversity", "axis_cost",
    }  # fmt: skip
    assert names(row("a", p=1), row("a", p=2), row("b", p=1), row("b", p=2), row("baseline")) == {"axis_accuracy"}


def test_two_axes_have_one_map_a_curve(pictures: None) -> None:
    rows = [row(curve, p=p, k=k) for curve in ("a", "b") for p in (1, 2) for k in (3, 4)]
    assert names(*rows) == {"grid_1", "grid_2"}


def test_without_axes_there_is_none() -> None:
    assert axis_figures([row("variant")]) == {}
