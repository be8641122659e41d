"""Accuracy against cost."""

from __future__ import annotations

import pytest

from cgl_ignite.analysis.canvas import as_png
from cgl_ignite.analysis.cost_curves import CostPoint, cost_curves, cost_figure, crossings

ROWS = {
    "baseline x4": CostPoint(4e9, [60.0, 62.0]),
    "baseline x1": CostPoint(1e9, [50.0, 52.0]),
    "cgl x1": CostPoint(2e9, [40.0, 44.0]),
    "cgl x2": CostPoint(4e9, [64.0, 66.0]),
}


def test_lengths_of_a_method_are_one_curve_in_the_order_of_their_cost() -> None:
    curves = cost_curves(ROWS)
    assert {name: [point.work for point in points] for name, points in curves.items()} == {
        "baseline": [1e9, 4e9],
        "cgl": [2e9, 4e9],
    }


def test_curves_cross_where_their_lines_do() -> None:
    """Over the logarithm of the cost baseline is at 56 and 61, and CGL at 42 and 65: 14 of 18 of the way."""
    ((first, second, work),) = crossings(cost_curves(ROWS))
    assert (first, second) == ("baseline", "cgl")
    assert work == pytest.approx(2e9 * 2 ** (14 / 18))


def test_curves_that_do_not_meet_do_not_cross() -> None:
    assert not list(
        crossings({"a": [CostPoint(1, [1]), CostPoint(2, [2])], "b": [CostPoint(1, [3]), CostPoint(2, [4])]})
    )
    assert not list(
        crossings({"a": [CostPoint(1, [1]), CostPoint(2, [9])], "b": [CostPoint(3, [5]), CostPoint(4, [5])]})
    )
    assert not list(crossings({"a": [CostPoint(1, [1])], "b": [CostPoint(1, [3])]}))


def test_the_axis_fits_the_scores_and_not_the_intervals() -> None:
    """Two seeds give intervals beyond 100 %."""
    figure = cost_figure(cost_curves({"a x1": CostPoint(1e6, [50.0, 90.0]), "a x2": CostPoint(2e6, [60.0, 99.0])}))
    (axes,) = figure.axes
    assert axes.get_ylim() == (50 - 0.15 * 49, 100)
    assert axes.get_xscale() == "log"
    assert as_png(figure)


def test_a_long_legend_has_columns() -> None:
    figure = cost_figure({f"method {number}": [CostPoint(1e6 + number, [50.0])] for number in range(31)})
    figure.draw_without_rendering()
    legend = figure.axes[0].get_legend().get_window_extent()
    assert legend.y0 >= 0 and legend.x1 <= figure.bbox.x1
