"""The picture of flatness: its ticks are the strengths that were measured."""

from __future__ import annotations

from cgl_ignite.analysis.flatness import flatness_figure
from cgl_ignite.analysis.statistics import Interval


def test_ticks_are_the_strengths_of_all_methods() -> None:
    drops = {"absolute": {"dml": {0.02: (3.0, Interval(1.0, 5.0)), 0.01: (1.0, None)}, "cgl": {0.05: (9.0, None)}}}
    (axes,) = flatness_figure(drops).axes
    assert axes.get_xticks().tolist() == [0.01, 0.02, 0.05]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0.01", "0.02", "0.05"]
