"""The sentence at the end of a run, for every rule and its borders."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cgl_ignite.analysis.diagnosis import Outcome, diagnose

FLAT = [70.0] * 16
FINE = Outcome(training=95.0, holdout=90.0, rows=100, history=FLAT)
"""The standard error of 90 % on 100 rows is 3 points."""


def course(before: float, last: float) -> list[float]:
    """Sixteen epochs: an eighth of them, two, at each of these means, and something else earlier."""
    return [10.0] * 12 + [before - 1, before + 1, last + 2, last - 2]


def test_nothing_is_wrong() -> None:
    assert diagnose(FINE) == "training accuracy 95.0 %, holdout 90.0 %: no longer rising; nothing is obviously wrong"


@pytest.mark.parametrize(("last", "rising"), [(90.0, False), (90.1, True), (84.0, False)])
def test_rising_by_more_than_a_standard_error(last: float, rising: bool) -> None:
    outcome = replace(FINE, history=course(87.0, last))
    assert outcome.rise == pytest.approx(last - 87)
    assert outcome.rising is rising
    assert ("train longer (run.epochs)" in diagnose(outcome)) is rising


def test_the_sentence_of_a_holdout_that_rises() -> None:
    assert diagnose(replace(FINE, history=course(80.0, 84.2))) == (
        "training accuracy 95.0 %, holdout 90.0 %: holdout still rising (+4.2 points in the last quarter);"
        " train longer (run.epochs)"
    )


def test_rising_comes_first_and_of_a_distillation_its_own_epochs_are_meant() -> None:
    outcome = Outcome(100.0, 50.0, 100, course(40.0, 50.0), at_chance=True, distilled=True)
    assert outcome.overfits
    assert diagnose(outcome).endswith("; train longer (distil.epochs)")


def test_one_more_row_of_a_holdout_that_is_all_right_is_no_rise() -> None:
    """Its standard error is 0."""
    outcome = Outcome(100.0, 100.0, 100, course(99.0, 100.0))
    assert not outcome.rising
    assert replace(outcome, history=course(98.9, 100.0)).rising


def test_seven_epochs_tell_the_gap_alone_and_eight_tell_whether_it_rises() -> None:
    steep = [10.0 * epoch for epoch in range(1, 9)]
    short = replace(FINE, history=steep[:7])
    assert short.rise is None
    assert diagnose(short) == (
        "training accuracy 95.0 %, holdout 90.0 %: the gap shows no over-fitting; so few epochs tell no more"
    )
    assert diagnose(replace(short, training=50.0, holdout=45.0)).endswith("so few epochs tell no more")
    assert "over-fits" in diagnose(replace(short, holdout=60.0))
    assert replace(FINE, history=steep).rise == 10
    assert replace(FINE, history=[*steep, 90.0]).rise == 10
    assert replace(FINE, history=()).rise is None


@pytest.mark.parametrize(
    ("training", "holdout", "rows", "over"),
    [
        (100.0, 90.0, 10_000, False),
        (100.0, 89.9, 10_000, True),
        (95.0, 80.0, 64, False),
        (95.1, 80.0, 64, True),
        (80.0, 95.0, 64, False),
    ],
    ids=["ten points", "more than ten", "three errors of 5 points", "more than three", "better on the holdout"],
)
def test_over_fitting_is_a_large_gap_that_is_sure(training: float, holdout: float, rows: int, over: bool) -> None:
    outcome = Outcome(training, holdout, rows, FLAT)
    assert outcome.overfits is over
    assert ("over-fits" in diagnose(outcome)) is over


def test_what_helps_against_over_fitting() -> None:
    one = Outcome(99.2, 81.0, 5000, FLAT)
    figures = "training accuracy 99.2 %, holdout 81.0 %: "
    augment, data = "stronger augmentation (data.augment)", "more data for each student (method.subsets)"
    most = "and collaboration pays most here"
    assert diagnose(one) == (
        f"{figures}the student over-fits; {augment} or more data may help, and so may a pool such as"
        " dml (method.preset), whose training costs more"
    )
    group = replace(one, students=8)
    assert diagnose(group) == f"{figures}the students over-fit; {augment} or more data may help, {most}"
    divided = replace(group, divided=True)
    assert diagnose(divided) == f"{figures}the students over-fit; {augment} or {data} may help, {most}"
    distilled = replace(one, distilled=True)
    assert diagnose(distilled) == f"{figures}the student over-fits; {augment} or more data may help"


def test_what_helps_where_the_training_rows_are_not_learned_yet() -> None:
    """On 1,000 images, 100 epochs reached 73.7 % of the training rows; longer training gained, augmentation lost."""
    one = Outcome(73.7, 46.0, 1000, FLAT)
    figures, rows = "training accuracy 73.7 %, holdout 46.0 %: ", "not learned all training rows yet"
    than = "may help more than stronger augmentation (data.augment)"
    assert diagnose(one) == (
        f"{figures}the student over-fits, but has {rows}; longer training (run.epochs) or more data {than}"
    )
    divided = replace(one, students=8, divided=True)
    assert diagnose(divided) == (
        f"{figures}the students over-fit, but have {rows}; longer training (run.epochs) or more data for each student"
        f" (method.subsets) {than}"
    )
    assert "(distil.epochs) or more data" in diagnose(replace(one, distilled=True))
    assert "pool such as dml" in diagnose(replace(one, training=90.0))


@pytest.mark.parametrize(("training", "low"), [(90.0, False), (89.9, True)])
def test_low_training_accuracy(training: float, low: bool) -> None:
    assert ("under-fits" in diagnose(replace(FINE, training=training))) is low


def test_the_sentence_of_under_fitting() -> None:
    low = Outcome(62.34, 61.0, 5000, FLAT)
    helpful = "so a larger backbone or a higher optim.learning_rate may help"
    figures = "training accuracy 62.3 %, holdout 61.0 %: no longer rising; "
    assert diagnose(low) == f"{figures}the student under-fits, {helpful}"
    assert diagnose(replace(low, students=4)) == f"{figures}the students under-fit, {helpful}"


def test_a_student_at_chance_is_not_advised_to_raise_the_learning_rate() -> None:
    lost = Outcome(10.4, 10.0, 500, FLAT, at_chance=True)
    sentence = (
        "training accuracy 10.4 %, holdout 10.0 %: no better than chance; another optim.learning_rate or more epochs"
        " (run.epochs) may help"
    )
    for history in (FLAT, (), course(8.0, 10.0)):
        assert diagnose(replace(lost, history=history)) == sentence
    assert "over-fits" in diagnose(replace(lost, training=100.0))
