"""Rows that are derived from methods: lengths, and values that are chosen on the holdout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cgl_ignite.catalogue import bind_methods
from cgl_ignite.comparison.rows import Choice, Tuning, end_of, rows_of_lengths
from cgl_ignite.config.load import load_document
from cgl_ignite.config.rows import reference_among
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.errors import InputError, RunFailed
from cgl_ignite.tracking import MetricsRow
from cgl_ignite.tracking.files import write_rows

DIGITS = Path(__file__).resolve().parents[2] / "pipelines" / "digits_resnet.toml"
RATES = "optim.learning_rate=[0.001, 0.01]"


def test_lengths_multiply_the_epochs() -> None:
    document = load_document(DIGITS, ["run.epochs=3", "methods.cgl.run.epochs=5"])
    rows, places = rows_of_lengths(bind_methods(document, ["cgl", "baseline"]), [1, 4])
    assert {name: row.run.epochs for name, row in rows.items()} == {
        "baseline x1": 3, "baseline x4": 12, "cgl x1": 5, "cgl x4": 20,
    }  # fmt: skip
    assert (places["cgl x4"].curve, places["cgl x4"].length, places["cgl x4"].against) == ("cgl", 4, "baseline x4")
    assert reference_among(list(rows), places) == "baseline"


def test_without_a_baseline_the_first_method_is_the_reference_of_each_length() -> None:
    _, places = rows_of_lengths(bind_methods(load_document(DIGITS), ["dml", "cgl"]), [1, 2])
    assert [place.against for place in places.values()] == ["dml x1", "dml x2"] * 2


def test_the_baseline_is_the_reference_wherever_it_stands() -> None:
    assert reference_among(["cgl", "baseline_of_the_paper", "baseline"], {}) == "baseline"
    assert reference_among(["cgl", "dml"], {}) == "cgl"


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


def chosen(folder: Path, scores: Mapping[tuple[str, float], Sequence[tuple[float, float]]]) -> dict[str, Choice]:
    """Choose rates where a row has these holdout accuracies and cross-entropies, a pair for each of its runs."""

    def finished(number: str, accuracy: float, cross_entropy: float) -> Any:
        values = {"holdout/cross_entropy/student_2": cross_entropy}
        (folder / number).mkdir(exist_ok=True)
        write_rows(folder / number / "metrics.jsonl", [MetricsRow(1, 0, {}), MetricsRow(2, 0, values)])
        return SimpleNamespace(
            holdout_accuracy=accuracy,
            selected_student=2,
            selected_epoch=2,
            checkpoint=str(folder / number / "checkpoint.pt"),
        )

    def run(rows: Mapping[str, Pipeline]) -> Any:
        found = [
            SimpleNamespace(
                name=name,
                runs={
                    seed: finished(f"{name} {seed}", *pair)
                    for seed, pair in enumerate(scores[name.split()[0], row.optim.learning_rate])
                },
            )
            for name, row in rows.items()
        ]
        return SimpleNamespace(methods=found)

    return Tuning.read(RATES).choose(["baseline", "dml"], bind, run)


def values(choices: Mapping[str, Choice]) -> dict[str, Any]:
    return {name: choice.value for name, choice in choices.items()}


GOOD, BETTER, BEST = (70.0, 0.9), (80.0, 0.8), (90.0, 0.7)


def test_each_method_gets_the_value_that_is_best_on_the_holdout(tmp_path: Path) -> None:
    scores = {
        ("baseline", 0.001): [GOOD],
        ("baseline", 0.01): [BETTER],
        ("dml", 0.001): [BEST],
        ("dml", 0.01): [BETTER],
    }
    assert values(chosen(tmp_path, scores)) == {"baseline": 0.01, "dml": 0.001}


def test_equal_accuracies_are_told_apart_by_cross_entropy(tmp_path: Path) -> None:
    scores = {
        ("baseline", 0.001): [(100.0, 0.02)], ("baseline", 0.01): [(100.0, 0.01)],
        ("dml", 0.001): [(100.0, 0.01)], ("dml", 0.01): [(100.0, 0.01)],
    }  # fmt: skip
    assert values(chosen(tmp_path, scores)) == {"baseline": 0.01, "dml": 0.001}


def test_failed_runs_do_not_count(tmp_path: Path) -> None:
    scores = {("baseline", 0.001): [GOOD], ("baseline", 0.01): [], ("dml", 0.001): [], ("dml", 0.01): [GOOD]}
    assert chosen(tmp_path, scores) == {
        "baseline": Choice(0.001, [(0.001, 70.0), (0.01, None)]), "dml": Choice(0.01, [(0.001, None), (0.01, 70.0)])
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "values", "end"),
    [
        (1, [1, 2, 3], "smallest"), (3, [1, 3, 2], "largest"), (2, [1, 2, 3], None),
        (1, [1], None), ("a", ["a", "b"], None), (True, [True, False], None),
    ],
)  # fmt: skip
def test_ends_of_the_values_that_were_tried(value: Any, values: Sequence[Any], end: str | None) -> None:
    assert end_of(value, values) == end
    assert Choice(value, [(one, 50.0) for one in values]).end == end


def test_a_method_that_fails_with_every_value_is_an_error(tmp_path: Path) -> None:
    scores = {("baseline", 0.001): [GOOD], ("baseline", 0.01): [GOOD], ("dml", 0.001): [], ("dml", 0.01): []}
    with pytest.raises(RunFailed, match=r"dml failed with every value of optim\.learning_rate"):
        chosen(tmp_path, scores)
