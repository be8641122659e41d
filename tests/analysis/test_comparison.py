"""The rows of a comparison against values computed by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from cgl_ignite.analysis.comparison import Cost, Difference, MethodRow, Predictions, compare_methods
from cgl_ignite.analysis.paper import Printed, paper_result, printed_in
from cgl_ignite.analysis.statistics import Spread
from cgl_ignite.config.rows import Place

COST = Cost(steps=40, passes=1, multiply_adds=1e6, work=1e9)


def run(seed, accuracy, diversity=None, metrics=None):
    return SimpleNamespace(
        seed=seed,
        test_accuracy=accuracy,
        mean_test_accuracy=accuracy - 1,
        diversity=diversity,
        metrics=metrics,
        parameters=200,
        parameters_student=100,
        train_seconds=10.0 * seed,
    )


def method(name, accuracies, **more):
    runs = {seed: run(seed, value) for seed, value in accuracies.items()}
    return MethodRow(name, "cifar10", "resnet18", COST, runs, **more)


def test_difference_is_paired_over_the_seeds_that_both_have():
    first, second = compare_methods([method("a", {1: 70.0, 2: 72.0, 3: 99.0}), method("b", {1: 71.0, 2: 75.0})], "a")
    assert (first.difference, first.over_seeds) == (None, None)
    assert second.difference == pytest.approx(2.0)
    assert second.over_seeds == pytest.approx((2.0 - 12.706205, 2.0 + 12.706205), abs=1e-5)
    assert second.accuracy == (73.0, pytest.approx(8**0.5))
    assert second.mean_accuracy[0] == pytest.approx(72.0)
    assert second.seconds[0] == pytest.approx(15.0)


def test_rows_of_a_length_are_measured_against_the_reference_of_that_length():
    accuracies = {("one", 1): 50.0, ("one", 4): 60.0, ("dml", 1): 53.0, ("dml", 4): 61.0, ("dml", 8): 70.0}
    methods = [
        method(f"{name} x{times}", {1: value}, place=Place(name, against=f"one x{times}", length=times))
        for (name, times), value in accuracies.items()
    ]
    rows = compare_methods(methods, "one")
    assert [(row.curve, row.length, row.against, row.difference) for row in rows] == [
        ("one", 1, None, None),
        ("one", 4, None, None),
        ("dml", 1, "one x1", 3.0),
        ("dml", 4, "one x4", 1.0),
        ("dml", 8, None, None),
    ], "there is no reference of eight times the length"


def test_the_accuracy_of_every_seed_is_kept():
    (row,) = compare_methods([method("a", {2: 70.0, 5: 72.0})], "a")
    assert row.accuracies == {2: 70.0, 5: 72.0}


def test_no_seed_in_common_is_no_difference():
    _, second = compare_methods([method("a", {1: 70.0}), method("b", {2: 71.0})], "a")
    assert (second.difference, second.over_seeds, second.over_samples) == (None, None, None)


def test_a_method_without_a_finished_run_has_an_empty_row():
    row, other = compare_methods([method("a", {}, failed={1: "not finite"}), method("b", {1: 71.0})], "a")
    assert (row.accuracy, row.parameters, row.seconds) == (None, None, None)
    assert row.failed == {1: "not finite"}
    assert other.difference is None


def test_metrics_that_all_runs_have_are_summarised():
    measured = {1: {"macro_f1": 50.0, "recall": {"a": 1.0}, "roc_auc": 0.5}, 2: {"macro_f1": 52.0, "roc_auc": None}}
    runs = {seed: run(seed, 60.0, metrics=found) for seed, found in measured.items()}
    (row,) = compare_methods([MethodRow("cgl", "cifar10", "resnet18", COST, runs)], "cgl")
    assert row.metrics == {"macro_f1": (51.0, pytest.approx(2**0.5))}


def with_metrics(name, measured):
    runs = {seed: run(seed, 60.0, metrics=found) for seed, found in measured.items()}
    return MethodRow(name, "cifar10", "resnet18", COST, runs)


def test_metrics_are_measured_against_those_of_the_reference_seed_by_seed():
    """The differences of macro-F1 are 1, 2 and 3; t is 4.302653 at 97.5 % for 2 degrees of freedom."""
    first = with_metrics("a", {seed: {"macro_f1": 50.0 + seed, "roc_auc": 0.5} for seed in (1, 2, 3)})
    second = with_metrics("b", {seed: {"macro_f1": 50.0 + 2 * seed, "roc_auc": None} for seed in (1, 2, 3, 4)})
    reference, row = compare_methods([first, second], "a")
    assert reference.differences == {}
    assert row.differences.keys() == {"macro_f1"}
    half = 4.302653 / 3**0.5
    assert row.differences["macro_f1"].mean == pytest.approx(2.0)
    assert row.differences["macro_f1"].over_seeds == pytest.approx((2 - half, 2 + half), abs=1e-5)
    assert row.differences["macro_f1"].certain is False
    sure = with_metrics("c", {seed: {"macro_f1": 60.0 + seed + seed % 2 / 10} for seed in (1, 2, 3)})
    assert compare_methods([first, sure], "a")[1].differences["macro_f1"].certain is True
    single = with_metrics("d", {1: {"macro_f1": 40.0}})
    assert compare_methods([first, single], "a")[1].differences["macro_f1"] == Difference(-11.0, None)


def test_over_samples_uses_the_selected_student():
    """Student 1 of b is right on all samples, a's on none: every resample differs by 100."""
    targets = np.zeros(20, dtype=np.uint16)
    wrong = Predictions(np.ones((1, 20)), targets, 0)
    right = Predictions(np.stack([np.ones(20), np.zeros(20)]), targets, 1)
    rows = [method("a", {1: 0.0}, predictions={1: wrong}), method("b", {1: 100.0}, predictions={1: right})]
    assert compare_methods(rows, "a")[1].over_samples == (100.0, 100.0)


def test_over_samples_needs_the_predictions_of_every_seed():
    predictions = Predictions(np.zeros((1, 20)), np.zeros(20), 0)
    rows = [method(name, {1: 0.0, 2: 1.0}, predictions={1: predictions}) for name in ("a", "b")]
    assert compare_methods(rows, "a")[1].over_samples is None


def test_the_papers_numbers_are_those_it_prints():
    assert paper_result("cifar10", "resnet18", "dml") == Printed(94.18, 0.09)
    assert paper_result("cifar100", "resnet34", "cgl") == Printed(78.31, 0.10)
    assert paper_result("imdb", "transformer", "baseline") == Printed(82.30, 0.10)
    assert paper_result("amazon_review_full", "vdcnn9", "okddip") == Printed(60.63, 0.04)


@pytest.mark.parametrize(
    "key", [("digits", "resnet18", "cgl"), ("cifar10", "resnet34", "cgl"), ("cifar10", "resnet18", "x")]
)
def test_the_paper_has_no_other_numbers(key):
    assert paper_result(*key) is None


def test_a_table_of_the_paper_holds_for_its_data_set_alone():
    assert printed_in("table5", "0 %", "cifar100", "resnet18") == Printed(77.79)
    assert printed_in("table5", "0 %", "cifar10", "resnet18") is None
    assert printed_in("table4", "cgl", "cifar100", "resnet34") is None
    assert printed_in("table6", "imdb with", "imdb", "transformer") == Printed(0.056, None, "diversity")


def test_the_papers_number_is_in_no_measured_value():
    row = compare_methods([method("dml", {1: 50.0})], "dml")[0]
    assert row.paper == Spread(94.18, 0.09)
    assert (row.accuracy, row.difference) == ((50.0, None), None)
