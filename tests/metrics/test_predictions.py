"""Metrics of all predictions equal scikit-learn's, student by student; what is not defined is told."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from cgl_ignite.analysis.calibration import reliability
from cgl_ignite.errors import InputError
from cgl_ignite.metrics import PREDICTION_METRICS, measure_predictions
from cgl_ignite.metrics.predictions import better_if_lower, defined_metrics, fault_of

Table = tuple[torch.Tensor, torch.Tensor]


@st.composite
def answers(draw: Callable[..., Any]) -> Table:
    """Logits of some students (K, N, C), and targets (N,): classes may be missing, or never be predicted."""
    students, rows, classes = draw(st.integers(1, 3)), draw(st.integers(1, 40)), draw(st.integers(2, 12))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    logits = draw(st.sampled_from([0.1, 1.0, 30.0])) * torch.randn(students, rows, classes, generator=generator)
    targets = torch.randint(draw(st.integers(1, classes)), (rows,), generator=generator)
    return logits, targets


def by_scikit_learn(name: str, probabilities: Any, targets: Any) -> Any:
    """Compute a metric as scikit-learn does; shares are in percent."""
    predicted, labels = probabilities.argmax(-1), list(range(probabilities.shape[1]))
    each = {"labels": labels, "average": None, "zero_division": 0}
    if name.startswith("top_"):
        return 100 * sk.top_k_accuracy_score(targets, probabilities, k=int(name.split("_")[1]), labels=labels)
    found: dict[str, Callable[[], Any]] = {
        "precision": lambda: 100 * sk.precision_score(targets, predicted, **each),
        "recall": lambda: 100 * sk.recall_score(targets, predicted, **each),
        "f1": lambda: 100 * sk.f1_score(targets, predicted, **each),
        "balanced_accuracy": lambda: 100 * sk.balanced_accuracy_score(targets, predicted),
        "macro_f1": lambda: 100 * sk.f1_score(targets, predicted, average="macro", zero_division=0),
        "cohen_kappa": lambda: sk.cohen_kappa_score(targets, predicted),
        "log_loss": lambda: sk.log_loss(targets, probabilities, labels=labels),
        "roc_auc": lambda: sk.roc_auc_score(targets, probabilities[:, 1]),
    }
    return found[name]()


@given(answers())
def test_every_metric_equals_that_of_scikit_learn(table: Table) -> None:
    logits, targets = table
    counts = targets.bincount(minlength=logits.shape[-1]).tolist()
    names = [name for name in defined_metrics(counts) if name != "expected_calibration_error"]
    found = measure_predictions(logits, targets, names)
    probabilities = logits.double().softmax(-1).numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in names:
            expected = np.stack([by_scikit_learn(name, one, targets.numpy()) for one in probabilities])
            np.testing.assert_allclose(found[name], expected, rtol=1e-9, atol=1e-9, err_msg=name)


@given(answers())
def test_the_calibration_error_is_that_of_the_reliability_diagram(table: Table) -> None:
    logits, targets = table
    found = measure_predictions(logits, targets, ["expected_calibration_error"])["expected_calibration_error"]
    assert found.tolist() == pytest.approx([reliability(one, targets).error for one in logits], abs=1e-9)


def test_values_by_hand() -> None:
    """Of four rows of class 0 three are right, the one of class 1 is not: recall 75 and 0, precision 75 and 0."""
    logits = torch.tensor([[[2.0, 0], [2, 0], [2, 0], [0, 2], [2, 0]]])
    found = measure_predictions(logits, torch.tensor([0, 0, 0, 0, 1]), ["recall", "precision", "balanced_accuracy"])
    assert found["recall"].tolist() == [[75.0, 0.0]]
    assert found["precision"].tolist() == [[75.0, 0.0]]
    assert found["balanced_accuracy"].tolist() == [37.5]


def test_ties_count_half_in_the_area_under_the_curve() -> None:
    found = measure_predictions(torch.zeros(1, 4, 2), torch.tensor([0, 1, 1, 0]), ["roc_auc"])
    assert found["roc_auc"].tolist() == [0.5]


def test_undefined_metrics_are_told_with_what_they_need() -> None:
    assert fault_of("roc_auc", 10) == "'roc_auc' is defined for 2 classes, and the data set has 10"
    assert fault_of("top_5_accuracy", 3) == "'top_5_accuracy' is defined for at least 6 classes, and the data set has 3"
    assert fault_of("accuracy") == "'accuracy' is measured in any case; leave it out"
    assert "did you mean 'macro_f1'" in fault_of("macro_f2")
    assert fault_of("roc_auc", 2) == fault_of("macro_f1", 10) == ""
    assert "roc_auc" in defined_metrics([3, 1])
    assert "roc_auc" not in defined_metrics([4, 0])
    assert better_if_lower("log_loss")
    assert not better_if_lower("macro_f1")


@pytest.mark.parametrize(
    ("metric", "fault"),
    [
        (lambda probabilities, targets: 1 / 0, "fails on probabilities (4, 2) (ZeroDivisionError"),
        (lambda probabilities, targets: probabilities[0], "must give one number, not a tensor of shape (2,)"),
    ],
)
def test_a_metric_of_ones_own_that_fails_is_one_message(
    monkeypatch: pytest.MonkeyPatch, metric: Callable[..., Any], fault: str
) -> None:
    monkeypatch.setattr(PREDICTION_METRICS, "_builders", {**PREDICTION_METRICS._builders, "mine": metric})
    monkeypatch.setattr(PREDICTION_METRICS, "_facts", {**PREDICTION_METRICS._facts, "mine": {}})
    with pytest.raises(InputError) as failed:
        measure_predictions(torch.zeros(1, 4, 2), torch.zeros(4), ["mine"])
    assert fault in str(failed.value)
