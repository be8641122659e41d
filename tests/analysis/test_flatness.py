"""The picture of flatness: its ticks are the strengths that were measured."""

from __future__ import annotations

import pytest

from cgl_ignite.analysis.flatness import flatness_figure
from cgl_ignite.analysis.statistics import Interval


def test_ticks_are_the_strengths_of_all_methods() -> None:
    drops = {"absolute": {"dml": {0.02: (3.0, Interval(1.0, 5.0)), 0.01: (1.0, None)}, "cgl": {0.05: (9.0, None)}}}
    (axes,) = flatness_figure(drops).axes
    assert axes.get_xticks().tolist() == [0.01, 0.02, 0.05]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0.01", "0.02", "0.05"]


def test_intervals_of_methods_lie_beside_each_other() -> None:
    one = {0.1: (3.0, Interval(1.0, 5.0)), 0.3: (4.0, Interval(2.0, 6.0))}
    (axes,) = flatness_figure({"relative": {"dml": one, "cgl": one}}).axes
    bars = [line for line in axes.lines if line.get_label().startswith("_")]
    assert [line.get_xdata()[0] for line in bars] == pytest.approx([0.075, 0.275, 0.125, 0.325])
    assert [tuple(line.get_ydata()) for line in bars[:2]] == [(1.0, 5.0), (2.0, 6.0)]
