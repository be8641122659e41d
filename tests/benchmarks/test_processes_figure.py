"""The picture of several processes shows the medians of its record."""

from __future__ import annotations

import json

import pytest
from processes_figure import RECORD, milliseconds, processes_figure


def test_each_curve_goes_through_its_medians() -> None:
    alone = {"students": 1, "training": {"milliseconds": {"trainer": {"median": 20.0}}}}
    rounds = {
        "one process": [90.0, 100.0, 300.0],
        "all processes": [60.0, 70.0, 10.0],
        "first of all processes, processor time": [50.0, 55.0, 51.0],
    }
    axes = processes_figure([alone, {"students": 2, "processes": {"rounds": rounds}}]).axes[0]
    drawn = {str(line.get_label()): line.get_xydata().tolist() for line in axes.lines}
    assert drawn == {
        "one process": [[1, 20], [2, 100]],
        "K processes on two cores": [[1, 20], [2, 60]],
        "processor time of one of K processes": [[1, 20], [2, 51]],
    }


def test_the_record_has_as_many_processes_as_students() -> None:
    measurements = json.loads(RECORD.read_text("utf-8"))["measurements"]
    assert [each["students"] for each in measurements] == [1, 2, 4, 8]
    assert all(each["processes"]["processes"] == each["students"] for each in measurements[1:])
    own = milliseconds(measurements)["processor time of one of K processes"]
    assert own[8] == pytest.approx(own[4], rel=0.1)
