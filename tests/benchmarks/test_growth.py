"""Groups of growing size are measured with the real step, on as much data, and compared as they should be."""

from __future__ import annotations

import pytest
import torch
from growth import SMALL_GROUPS, GrowthSetting, Pool, flatness, measure_growth, training
from growth_figure import growth_figure

from cgl_ignite.bench.bare import Given, loop_over_students
from cgl_ignite.bench.passes import ready
from cgl_ignite.errors import ConfigError
from cgl_ignite.pipeline.data import RunData

SMALL = GrowthSetting(batch_size=2)


def test_flat_is_a_ratio_of_rounds_and_of_what_is_known_without_a_clock() -> None:
    few = {"rounds": [1.0, 2.0, 4.0], "multiply_adds_per_sample": 10.0, "parameters": 5, "kept_bytes": 100}
    many = {"rounds": [1.5, 2.0, 5.0], "multiply_adds_per_sample": 9.0, "parameters": 5, "kept_bytes": 120}
    found = flatness({8: few, 64: many, 16: {}}, 8, 64)
    assert found["time"] == {"median": 1.25, "low": 1.0, "high": 1.5}
    assert (found["arithmetic"], found["parameters"], found["kept_bytes"]) == (0.9, 1.0, 1.2)


def test_nobody_imitates_more_than_there_are() -> None:
    assert SMALL.pipeline(SMALL_GROUPS, 3).method.choose.options == {"size": 2}
    with pytest.raises(ConfigError, match="2"):
        SMALL.pipeline(SMALL_GROUPS, 2)


@pytest.mark.parametrize("students", [8, 64])
def test_batches_are_full_however_many_students_read(students: int) -> None:
    pipeline = SMALL.pipeline(SMALL_GROUPS, students)
    parts = ready(pipeline, RunData(SMALL.source(), pipeline.data))
    assert next(parts.batches.stream(0)).sizes == (2,) * students
    assert len(parts.splits.train) == 64 * 2 * 4
    assert parts.batches_per_chunk == 8


def test_a_pool_trains_as_a_loop_over_its_students_does() -> None:
    pipeline, device = SMALL.pipeline(SMALL_GROUPS, 8), torch.device("cpu")
    mine = training(pipeline, ready(pipeline, RunData(SMALL.source(), pipeline.data)))
    given = Given.of(ready(pipeline, RunData(SMALL.source(), pipeline.data)))
    theirs = loop_over_students(pipeline, given, pipeline.seeds[0], device, at_once=False)
    for _ in range(2):
        losses, (ce, kl) = next(mine), next(theirs)
        torch.testing.assert_close(losses.ce, ce, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(losses.kl, kl, rtol=1e-2, atol=1e-3)


def test_what_is_known_without_a_clock_does_not_grow() -> None:
    source, device = SMALL.source(), torch.device("cpu")
    few, many = (Pool(SMALL.pipeline(SMALL_GROUPS, students), source, device) for students in (8, 64))
    assert (few.iterations, many.iterations) == (4, 1)
    assert few.facts["parameters"] == many.facts["parameters"]
    for name in ("multiply_adds_per_sample", "kept_bytes"):
        assert many.facts[name] == pytest.approx(few.facts[name], rel=0.1)


def test_every_group_is_measured_and_drawn() -> None:
    record = measure_growth(SMALL, 2, "cpu", ("baseline", "one", SMALL_GROUPS), (1, 4, 8), processes=0)
    by_method = {name: {row["students"]: row for row in rows} for name, rows in record["methods"].items()}
    assert {name: list(rows) for name, rows in by_method.items()} == {
        "baseline": [1, 4, 8],
        "one": [4, 8],
        SMALL_GROUPS: [4, 8],
    }
    assert "flat" not in record
    assert all(len(row["rounds"]) == 2 for rows in by_method.values() for row in rows.values())
    alone, small = by_method["baseline"], by_method[SMALL_GROUPS]
    assert alone[8]["parameters"] == 2 * alone[4]["parameters"] == 8 * alone[1]["parameters"]
    assert small[8]["parameters"] == small[4]["parameters"] == 2 * alone[1]["parameters"]
    work = alone[1]["multiply_adds_per_sample"]
    assert alone[8]["multiply_adds_per_sample"] == work
    assert work < small[8]["multiply_adds_per_sample"] < 3 * work
    time, size = growth_figure(record).axes
    lines = {line.get_label(): line for line in time.lines}
    assert lines.keys() == by_method.keys()
    assert list(lines["baseline"].get_xdata()) == [1, 4, 8]
    assert list(size.lines[2].get_ydata()) == [small[8]["parameters"]] * 2
