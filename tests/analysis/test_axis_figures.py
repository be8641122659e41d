"""Figures over axes: where points lie, what is written, and that every seed is seen."""

from __future__ import annotations

import pytest

from cgl_ignite.analysis.axis_figures import (
    AxisValue,
    axis_figure,
    counts_figure,
    grid_figure,
    is_logarithmic,
    two_metrics_figure,
)
from cgl_ignite.analysis.canvas import as_png, as_svg

DOUBLES = [AxisValue("2", 2.0), AxisValue("4", 4.0), AxisValue("32", 32.0), AxisValue("8", 8.0), AxisValue("16", 16.0)]
SCORES = {point: [70.0, 72.0] for point in DOUBLES}


@pytest.mark.parametrize(
    ("values", "answer"),
    [
        ([1, 2, 4, 8], True),
        ([8, 1, 2, 4], True),
        ([1e-4, 1e-3, 1e-2], True),
        ([0, 20, 40, 80], False),
        ([1, 2, 3, 4], False),
        ([1, 100], False),
        ([-4, -2, -1], False),
    ],
)
def test_values_that_multiply_ask_for_a_logarithm(values: list[float], answer: bool) -> None:
    assert is_logarithmic(values) is answer


def test_curves_have_means_and_every_seed_in_the_order_of_the_axis() -> None:
    figure = axis_figure({"cgl": SCORES}, "students", "Accuracy", "detail", {"baseline": [60.0, 62.0]})
    (axes,) = figure.axes
    assert axes.get_xscale() == "log" and axes.get_xlabel() == "students"
    curve = next(line for line in axes.lines if line.get_label() == "cgl")
    assert list(curve.get_xdata()) == [2, 4, 8, 16, 32] and set(curve.get_ydata()) == {71.0}
    seeds = [tuple(line.get_ydata()) for line in axes.lines if line.get_marker() == "."]
    assert seeds == [(70.0, 72.0)] * 5
    level = next(line for line in axes.lines if line.get_label() == "baseline")
    assert set(level.get_ydata()) == {61.0}
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["cgl", "baseline"]


def test_labels_without_numbers_stand_in_a_row() -> None:
    points = {AxisValue("disjoint"): [70.0], AxisValue("whole"): [71.0]}
    (axes,) = axis_figure({"cgl": points}, "subsets", "Accuracy", "detail").axes
    assert axes.get_xscale() == "linear"
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["disjoint", "whole"]


def test_curves_differ_by_more_than_colour() -> None:
    figure = axis_figure(dict.fromkeys("abcdef", SCORES), "students", "Accuracy", "detail")
    named = [line for line in figure.axes[0].lines if str(line.get_label()) in "abcdef"]
    assert len({(str(line.get_linestyle()), line.get_marker()) for line in named}) == 6
    assert min(tick.get_fontsize() for tick in figure.axes[0].get_xticklabels()) >= 11


def test_two_metrics_share_an_axis_and_have_scales_of_their_own() -> None:
    figure = two_metrics_figure(SCORES, {point: [0.1] for point in DOUBLES}, "K", ("Accuracy", "Diversity"), "Both")
    left, right = figure.axes
    assert (left.get_ylabel(), right.get_ylabel()) == ("Accuracy", "Diversity")
    assert left.get_ylim() != right.get_ylim() and left.get_xlim() == right.get_xlim()


def test_counts_are_drawn_as_they_are() -> None:
    figure = counts_figure({"dml": {point: 1e6 * (point.number or 0) for point in DOUBLES}}, "K", "Parameters", "all")
    (axes,) = figure.axes
    assert axes.get_yscale() == "log" and list(axes.lines[0].get_ydata()) == [2e6, 4e6, 8e6, 16e6, 32e6]


@pytest.mark.parametrize(("largest", "scale", "told"), [(9e6, "linear", "all"), (1e7, "log", "on a logarithmic scale")])
def test_counts_that_differ_tenfold_have_a_logarithmic_scale(largest: float, scale: str, told: str) -> None:
    counts = {"dml": {AxisValue("a"): 1e6, AxisValue("b"): largest}}
    (axes,) = counts_figure(counts, "K", "Parameters", "all").axes
    assert axes.get_yscale() == scale
    assert bool(axes.get_ylim()[0] == 0) is (scale == "linear")
    assert any(text.get_text().endswith(told) for text in axes.texts)


def test_a_grid_has_every_mean_in_its_cell() -> None:
    table = {("0.25", "5"): 70.0, ("0.25", "10"): 71.5, ("1.0", "10"): 73.25}
    (axes,) = grid_figure(table, ("probability", "epochs"), "Accuracy", "{:.2f}").axes
    written = {(text.get_position()): text.get_text() for text in axes.texts}
    assert {(0.5, 0.5): "70.00", (1.5, 0.5): "71.50", (1.5, 1.5): "73.25", (0.5, 1.5): "–"}.items() <= written.items()
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("probability", "epochs")


def test_svg_is_the_same_every_time_and_png_is_one() -> None:
    files = [as_svg(axis_figure({"cgl": SCORES}, "students", "Accuracy", "detail")) for _ in range(2)]
    assert files[0] == files[1] and b"<svg" in files[0]
    assert as_png(axis_figure({"cgl": SCORES}, "students", "Accuracy", "detail")).startswith(b"\x89PNG")
