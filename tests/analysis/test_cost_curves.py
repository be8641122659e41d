"""Accuracy against cost."""

from __future__ import annotations

import pytest

from cgl_ignite.analysis.canvas import as_png
from cgl_ignite.analysis.cost_curves import CostPoint, cost_curves, cost_figure, crossings, last_leads

BELOW = [
    ("baseline", CostPoint(4e9, {1: 60.0, 2: 62.0})),
    ("baseline", CostPoint(1e9, {1: 50.0, 2: 52.0})),
    ("cgl", CostPoint(2e9, {1: 40.0, 2: 44.0})),
]
ROWS = [*BELOW, ("cgl", CostPoint(4e9, {1: 64.0, 2: 66.0}))]


def curve(*scores: dict[int, float]) -> list[CostPoint]:
    """A curve over the costs 1, 100, ..."""
    return [CostPoint(100**place, heights) for place, heights in enumerate(scores)]


def test_lengths_of_a_method_are_one_curve_in_the_order_of_their_cost() -> None:
    curves = cost_curves(ROWS)
    assert {name: [point.work for point in points] for name, points in curves.items()} == {
        "baseline": [1e9, 4e9],
        "cgl": [2e9, 4e9],
    }


def test_curves_cross_where_their_lines_do() -> None:
    """Over the logarithm of the cost baseline is at 56 and 61, and CGL at 42 and 65: 14 of 18 of the way."""
    (cross,) = crossings(cost_curves(ROWS))
    assert (cross.before, cross.after) == ("baseline", "cgl")
    assert cross.work == pytest.approx(2e9 * 2 ** (14 / 18))


def test_a_crossing_is_certain_if_both_leads_are() -> None:
    """Seeds 1 to 3; t(0.975, 2) = 4.303, so a mean of 4 with a deviation of 1 has the interval 1.5 to 6.5."""
    level = curve({1: 50.0, 2: 60.0, 3: 70.0}, {1: 50.0, 2: 60.0, 3: 70.0})
    rising = curve({1: 47.0, 2: 56.0, 3: 65.0}, {1: 53.0, 2: 64.0, 3: 75.0})
    noisy = curve({1: 47.0, 2: 56.0, 3: 65.0}, {1: 40.0, 2: 64.0, 3: 79.0})
    (cross,) = crossings({"level": level, "rising": rising})
    assert cross.certain and cross.work == pytest.approx(10)
    (cross,) = crossings({"level": level, "noisy": noisy})
    assert not cross.certain, "its lead of 1 has the seeds -10, 4 and 9"


def test_a_crossing_of_one_seed_is_not_certain() -> None:
    (cross,) = crossings({"level": curve({1: 50.0}, {1: 50.0}), "rising": curve({1: 40.0}, {1: 60.0})})
    assert not cross.certain


def test_seeds_count_that_all_points_of_both_curves_have() -> None:
    level = curve({1: 50.0, 2: 60.0, 3: 70.0}, {1: 50.0, 2: 60.0})
    rising = curve({1: 40.0, 2: 41.0, 3: 42.0}, {1: 66.0, 2: 67.0, 3: 68.0})
    (cross,) = crossings({"level": level, "rising": rising})
    assert (cross.before, cross.after, cross.certain) == ("level", "rising", False), "two seeds say little"


def test_curves_that_are_equal_at_one_cost_cross_if_they_change_places() -> None:
    points = (1, 50.0), (10, 50.0), (100, 50.0)
    level = [CostPoint(work, {1: height}) for work, height in points]
    rising = [CostPoint(work, {1: 40.0 + 10 * place}) for place, (work, _) in enumerate(points)]
    touching = [CostPoint(work, {1: 50.0 + 10 * (place != 1)}) for place, (work, _) in enumerate(points)]
    (cross,) = crossings({"rising": rising, "level": level})
    assert (cross.before, cross.after) == ("level", "rising") and cross.work == pytest.approx(10)
    assert not list(crossings({"touching": touching, "level": level}))
    assert not list(crossings({"level": level, "again": level}))


def test_the_last_lead_is_at_the_highest_cost_of_both() -> None:
    """At a cost of 4 the baseline is at 60 and 62, where it ends; over its logarithm CGL has gone from 40 to 64."""
    curves = cost_curves([*BELOW, ("cgl", CostPoint(8e9, {1: 64.0, 2: 66.0}))])
    ((name, lead),) = last_leads(curves, "baseline")
    assert (name, lead.work) == ("cgl", 4e9)
    assert lead.by_seed == pytest.approx([52.0 - 60.0, 55.0 - 62.0]) and lead.mean == pytest.approx(-7.5)
    assert lead.over_seeds == pytest.approx((-7.5 - 6.3531, -7.5 + 6.3531), abs=1e-4) and lead.certain


def test_a_lead_is_that_of_the_seeds_that_both_have() -> None:
    """Seed 3 failed once; of the other curve no seed is there at all."""
    curves = {
        "baseline": curve({1: 50.0, 2: 60.0, 3: 90.0}, {1: 52.0, 2: 62.0, 3: 92.0}),
        "dml": curve({1: 53.0, 2: 62.0, 3: 99.0}, {1: 54.0, 2: 66.0}),
        "one": curve({7: 50.0}, {7: 60.0}),
    }
    (_, dml), (_, one) = last_leads(curves, "baseline")
    assert (list(dml.by_seed), dml.mean) == ([2.0, 4.0], 3.0)
    assert (list(one.by_seed), one.mean) == ([], pytest.approx(60 - 206 / 3)) and one.over_seeds is None


def test_curves_of_other_costs_have_no_lead() -> None:
    curves = {"a": [CostPoint(1, {1: 1.0})], "b": [CostPoint(2, {1: 2.0})]}
    assert not list(last_leads(curves, "a"))


def test_curves_that_do_not_meet_do_not_cross() -> None:
    assert not list(
        crossings(
            {"a": [CostPoint(1, {1: 1}), CostPoint(2, {1: 2})], "b": [CostPoint(1, {1: 3}), CostPoint(2, {1: 4})]}
        )
    )
    assert not list(
        crossings(
            {"a": [CostPoint(1, {1: 1}), CostPoint(2, {1: 9})], "b": [CostPoint(3, {1: 5}), CostPoint(4, {1: 5})]}
        )
    )
    assert not list(crossings({"a": [CostPoint(1, {1: 1})], "b": [CostPoint(1, {1: 3})]}))


def test_the_axis_fits_the_scores_and_not_the_intervals() -> None:
    """Two seeds give intervals beyond 100 %."""
    rows = [("a", CostPoint(1e6, {1: 50.0, 2: 90.0})), ("a", CostPoint(2e6, {1: 60.0, 2: 99.0}))]
    figure = cost_figure(cost_curves(rows))
    (axes,) = figure.axes
    assert axes.get_ylim() == (50 - 0.15 * 49, 100)
    assert axes.get_xscale() == "log"
    assert as_png(figure)


def test_a_long_legend_has_columns() -> None:
    figure = cost_figure({f"method {number}": [CostPoint(1e6 + number, {1: 50.0})] for number in range(31)})
    figure.draw_without_rendering()
    legend = figure.axes[0].get_legend().get_window_extent()
    assert legend.y0 >= 0 and legend.x1 <= figure.bbox.x1
