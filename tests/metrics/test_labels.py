"""Metrics of rows with several labels equal scikit-learn's; those of another task are told."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from cgl_ignite.metrics import measure_predictions
from cgl_ignite.metrics.predictions import defined_metrics, fault_of
from cgl_ignite.tasks import MULTI_LABEL


@st.composite
def answers(draw: Callable[..., Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of some students (K, N, C), some of them equal, and targets (N, C): classes may be missing."""
    students, rows, classes = draw(st.integers(1, 3)), draw(st.integers(1, 40)), draw(st.integers(2, 8))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    logits = draw(st.sampled_from([0.3, 3.0])) * torch.randn(students, rows, classes, generator=generator)
    logits = logits.round() if draw(st.booleans()) else logits
    targets = torch.rand(rows, classes, generator=generator) < draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    return logits, targets.float()


def by_scikit_learn(name: str, probabilities: Any, targets: Any) -> Any:
    given = (probabilities > 0.5).astype(int)
    each = {"average": None, "zero_division": 0}
    found: dict[str, Callable[[], Any]] = {
        "precision": lambda: sk.precision_score(targets, given, **each),
        "recall": lambda: sk.recall_score(targets, given, **each),
        "f1": lambda: sk.f1_score(targets, given, **each),
        "macro_f1": lambda: sk.f1_score(targets, given, average="macro", zero_division=0),
        "micro_f1": lambda: sk.f1_score(targets, given, average="micro", zero_division=0),
        "average_precision": lambda: sk.average_precision_score(targets, probabilities, average=None),
        "mean_average_precision": lambda: sk.average_precision_score(targets, probabilities, average="macro"),
        "hamming_loss": lambda: sk.hamming_loss(targets, given),
    }
    return 100 * np.asarray(found[name]())


@settings(max_examples=60, deadline=None)
@given(answers())
def test_every_metric_equals_that_of_scikit_learn(table: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, targets = table
    names = defined_metrics(targets.sum(0).int().tolist(), "multi_label")
    found = measure_predictions(logits, targets, names, MULTI_LABEL.probabilities)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in names:
            expected = [by_scikit_learn(name, one.double().sigmoid().numpy(), targets.int().numpy()) for one in logits]
            np.testing.assert_allclose(found[name], np.stack(expected), rtol=1e-9, atol=1e-9, err_msg=name)


@settings(max_examples=30, deadline=None)
@given(answers())
def test_the_accuracy_is_that_of_whole_sets_of_labels(table: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, targets = table
    found = MULTI_LABEL.scores.get("accuracy")(logits, targets).mean(0)
    for one, accuracy in zip(logits, found, strict=True):
        expected = 100 * sk.accuracy_score(targets.int().numpy(), (one > 0).int().numpy())
        assert accuracy.item() == pytest.approx(expected, rel=1e-5)


def test_a_metric_of_another_task_is_told() -> None:
    assert fault_of("cohen_kappa", task="multi_label").startswith(
        "'cohen_kappa' is not defined for the task 'multi_label'"
    )
    assert "'single_label'" in fault_of("micro_f1")
    assert fault_of("macro_f1", 3, "multi_label") == fault_of("macro_f1", 3) == ""
