"""The picture of the races shows every difference where it is, with its interval if it has one."""

from __future__ import annotations

from races_figure import GROUNDS, races_figure, read_ground


def test_every_ground_has_a_record_with_a_baseline() -> None:
    for record in GROUNDS.values():
        assert [row["method"] for row in read_ground(record) if row["difference"] is None] == ["baseline", "baseline"]


def test_a_method_is_followed_by_itself_distilled() -> None:
    names = ["dml", "one", "one_distilled", "dml_distilled"]
    rows = [{"method": name, "difference": -1.0, "over_seeds": None} for name in names]
    (axes,) = races_figure({"Digits, 400 images": rows}).axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[::-1] == ["dml", "dml_distilled", "one", "one_distilled"]


def test_a_dot_for_each_method_and_a_line_for_each_interval() -> None:
    rows = [
        {"method": "baseline", "difference": None, "over_seeds": None},
        {"method": "dml", "difference": -2.0, "over_seeds": {"low": -3.0, "high": -1.0}},
        {"method": "one", "difference": 1.5, "over_seeds": None},
    ]
    (axes,) = races_figure({"Digits, 400 images": rows}).axes
    dots = {tuple(map(float, line.get_xydata()[0])): line for line in axes.lines if line.get_marker() == "o"}
    assert dots.keys() == {(-2.0, 1.0), (1.5, 0.0)}
    assert dots[1.5, 0.0].get_markerfacecolor() == "white"
    (interval,) = axes.collections
    assert interval.get_segments()[0].tolist() == [[-3.0, 1.0], [-1.0, 1.0]]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["one", "dml"]


def test_four_grounds_make_a_square_and_five_leave_one_place_empty() -> None:
    rows = [{"method": "dml", "difference": 0.0, "over_seeds": None}]
    for grounds, columns, empty in ((4, 2, 0), (5, 3, 1)):
        panels = races_figure({f"ground {n}, seeds": rows for n in range(grounds)}).axes
        assert [axes.get_visible() for axes in panels].count(False) == empty
        assert {axes.get_subplotspec().get_gridspec().ncols for axes in panels} == {columns}
