from __future__ import annotations

import numpy as np
import pytest

from cgl_ignite.analysis.comparison_figures import accuracy_figure, curves_figure
from cgl_ignite.tracking import MetricsRow


def journal(values):
    return [MetricsRow(epoch, 0, {"holdout/accuracy_mean": value}) for epoch, value in enumerate(values, start=1)]


def test_bars_show_means_and_dots_show_seeds():
    (axes,) = accuracy_figure({"baseline": [70.0, 72.0], "cgl": [75.0, 77.0]}).axes
    assert [bar.get_width() for bar in axes.patches] == [71.0, 76.0]
    dots = [line.get_xdata().tolist() for line in axes.lines if line.get_marker() == "o"]
    assert dots == [[70.0, 72.0], [75.0, 77.0]]
    assert [text.get_text() for text in axes.texts[:2]] == ["71.00", "76.00"]


def test_an_axis_that_does_not_start_at_zero_says_so():
    (axes,) = accuracy_figure({"a": [70.0, 72.0], "b": [75.0]}).axes
    low = axes.get_xlim()[0]
    assert 60 < low < 70 and f"starts at {low:.1f}" in axes.get_xlabel()
    (axes,) = accuracy_figure({"a": [5.0], "b": [75.0]}).axes
    assert axes.get_xlim()[0] == 0 and axes.get_xlabel() == "percent"


def test_everything_measured_lies_within_the_picture():
    (axes,) = accuracy_figure({"a": [98.0, 100.0], "b": [99.5, 99.9]}).axes
    low, high = axes.get_xlim()
    assert low < 97.5 and high >= 100.0


def test_curves_are_means_over_seeds_with_their_range():
    (axes,) = curves_figure(
        {"a": [journal([1, 2, 3]), journal([3, 4, 5])], "b": [journal([7, 8])]}, "holdout/accuracy_mean", "T", "d"
    ).axes
    assert [line.get_ydata().tolist() for line in axes.lines] == [[2.0, 3.0, 4.0], [7.0, 8.0]]
    band = axes.collections[0].get_paths()[0].vertices
    assert {tuple(point) for point in band.tolist()} >= {(1.0, 1.0), (1.0, 3.0), (3.0, 3.0), (3.0, 5.0)}
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]


def test_a_method_without_the_value_is_left_out():
    (axes,) = curves_figure(
        {"a": [journal([1.0])], "b": [[MetricsRow(1, 0, {})]]}, "holdout/accuracy_mean", "T", "d"
    ).axes
    assert len(axes.lines) == 1 and axes.lines[0].get_marker() == "o"


@pytest.mark.parametrize("methods", [1, 9, 30])
def test_figures_can_be_written(methods, tmp_path):
    """matplotlib warns where there is no room, and warnings are errors."""
    scores = {f"method_{number}": list(np.linspace(60, 61, 3)) for number in range(methods)}
    accuracy_figure(scores).savefig(tmp_path / "figure.png", dpi=30)
    journals = {name: [journal(values)] for name, values in scores.items()}
    curves_figure(journals, "holdout/accuracy_mean", "T", "d").savefig(tmp_path / "curves.png", dpi=30)


def test_bars_stand_in_the_order_of_the_methods_from_the_top():
    scores = {f"method {number}": [70.0 + number, 72.0 + number] for number in range(13)}
    (axes,) = accuracy_figure(scores).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == list(scores)
    assert axes.get_ylim()[0] > axes.get_ylim()[1]


def test_a_long_legend_has_columns():
    journals = {f"method {number}": [journal([1.0, 2.0])] for number in range(31)}
    figure = curves_figure(journals, "holdout/accuracy_mean", "T", "d")
    figure.draw_without_rendering()
    (axes,) = figure.axes
    legend = axes.get_legend().get_window_extent()
    assert legend.y0 >= 0 and legend.x1 <= figure.bbox.x1
    assert len(axes.get_legend().get_texts()) == 31


def test_an_accuracy_of_zero_is_drawn():
    (axes,) = curves_figure({"a": [journal([0.0, 0.0])]}, "holdout/accuracy_mean", "T", "d").axes
    assert [line.get_ydata().tolist() for line in axes.lines] == [[0.0, 0.0]]
