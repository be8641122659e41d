"""The result in sentences: all of few rows, of many those that say something."""

from __future__ import annotations

from cgl_ignite.analysis.statistics import Interval
from cgl_ignite.page.sentences import findings
from tests.analysis.test_tables import length, row

REFERENCE = row("p=1", difference=None, over_seeds=None)
DOUBTFUL = [row(f"p={number}", difference=0.5, over_seeds=Interval(-1.0, 2.0)) for number in range(2, 9)]
SURE = row("p=9", difference=1.5, over_seeds=Interval(1.0, 2.0))


def test_each_of_few_rows_has_a_sentence() -> None:
    told = list(findings([REFERENCE, *DOUBTFUL], "p=1"))
    assert len(told) == 8
    assert told[0] == "p=1: 94.50 ± 0.25 % on the test part."
    assert told[1].endswith("0.50 points above p=1; 95 % interval over seeds [-1.00, +2.00]: its sign is not certain.")


def test_of_many_rows_the_reference_and_what_is_certain_are_told() -> None:
    told = list(findings([REFERENCE, *DOUBTFUL, SURE], "p=1"))
    assert [text.partition(":")[0] for text in told[:2]] == ["p=1", "p=9"]
    assert told[1].endswith("its sign is certain.")
    assert told[2:] == ["The table has 7 more; no difference of theirs is certain."]


def test_lengths_without_a_finished_reference_are_told() -> None:
    missing = row("one x1", curve="one", length=1, accuracy=None)
    rows = [missing, length("dml", 1, 1e9, [54, 54]), length("dml", 4, 1e11, [70, 72])]
    assert [text.partition(":")[0] for text in findings(rows, "one")] == ["dml x4"]


def test_of_several_lengths_the_longest_is_told_and_the_difference_at_equal_cost() -> None:
    """Ten times the cost is half of a hundred times over the logarithm: DML is at 62 and 63 where one network ends."""
    rows = [
        length("one", 1, 1e9, [50, 51]),
        length("one", 4, 1e10, [64, 66]),
        length("dml", 1, 1e9, [54, 54], "one x1"),
        length("dml", 4, 1e11, [70, 72], "one x4"),
    ]
    told = list(findings(rows, "one"))
    assert [text.partition(":")[0] for text in told[:2]] == ["one x4", "dml x4"]
    assert told[2:] == [
        "dml, at equal cost, 10G multiply-adds of training: 2.50 points below one; "
        "95 % interval over seeds [-8.85, +3.85]: its sign is not certain."
    ]
