"""Rows that are derived from methods: lengths, and values that are chosen on the holdout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cgl_ignite.catalogue import bind_methods
from cgl_ignite.comparison.rows import Tuning, derived_rows
from cgl_ignite.config.load import load_document
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.errors import InputError, RunFailed

DIGITS = Path(__file__).resolve().parents[2] / "pipelines" / "digits_resnet.toml"
RATES = "optim.learning_rate=[0.001, 0.01]"


def test_lengths_multiply_the_epochs() -> None:
    document = load_document(DIGITS, ["run.epochs=3", "methods.cgl.run.epochs=5"])
    rows, changed = derived_rows(document, ["baseline", "cgl"], [1, 4])
    assert {name: row.run.epochs for name, row in rows.items()} == {
        "baseline x1": 3, "baseline x4": 12, "cgl x1": 5, "cgl x4": 20,
    }  # fmt: skip
    assert changed["cgl x4"] == {"run.epochs": 5} and changed["baseline x1"] == {}


def test_without_lengths_rows_are_the_methods() -> None:
    rows, _ = derived_rows(load_document(DIGITS), ["dml"], [])
    assert list(rows) == ["dml"]


@pytest.mark.parametrize("text", ["optim.learning_rate=3", "optim.learning_rate=[]", "optim", "=[1]", "optim.kind=a"])
def test_what_cannot_be_tuned(text: str) -> None:
    with pytest.raises(InputError):
        Tuning.read(text)


def test_a_tuning_reads_and_writes_itself() -> None:
    tuning = Tuning.read(RATES)
    assert (tuning.key, tuning.values) == ("optim.learning_rate", (0.001, 0.01))
    assert str(tuning) == RATES


def test_values_are_set_for_each_method_by_itself() -> None:
    assert Tuning.read("method.loss.temperature=[1, 2]").overrides({"dml": 2, "a b": 1}) == [
        'methods."dml".loss.temperature=2',
        'methods."a b".loss.temperature=1',
    ]


def bind(more: Sequence[str]) -> Mapping[str, Pipeline]:
    return bind_methods(load_document(DIGITS, more), ["baseline", "dml"])


def chosen(scores: Mapping[tuple[str, float], Sequence[float]]) -> dict[str, Any]:
    """Choose rates where a row has these holdout accuracies, one for each of its runs."""

    def run(rows: Mapping[str, Pipeline]) -> Any:
        found = [
            SimpleNamespace(name=name, runs=dict(enumerate(SimpleNamespace(holdout_accuracy=score) for score in runs)))
            for name, row in rows.items()
            if (runs := scores[name.split()[0], row.optim.learning_rate]) is not None
        ]
        return SimpleNamespace(methods=found)

    return Tuning.read(RATES).choose(["baseline", "dml"], bind, run)


def test_each_method_gets_the_value_that_is_best_on_the_holdout() -> None:
    scores = {("baseline", 0.001): [70], ("baseline", 0.01): [80], ("dml", 0.001): [90], ("dml", 0.01): [85]}
    assert chosen(scores) == {"baseline": 0.01, "dml": 0.001}


def test_equal_values_keep_the_first_and_failed_runs_do_not_count() -> None:
    scores = {("baseline", 0.001): [70], ("baseline", 0.01): [70], ("dml", 0.001): [], ("dml", 0.01): [5]}
    assert chosen(scores) == {"baseline": 0.001, "dml": 0.01}


def test_a_method_that_fails_with_every_value_is_an_error() -> None:
    scores = {("baseline", 0.001): [70], ("baseline", 0.01): [70], ("dml", 0.001): [], ("dml", 0.01): []}
    with pytest.raises(RunFailed, match=r"dml failed with every value of optim\.learning_rate"):
        chosen(scores)
