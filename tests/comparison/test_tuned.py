"""A pipeline with the best of several values: chosen on the holdout, trained with every seed, nothing twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.comparison.rows import Tuning
from cgl_ignite.comparison.tuned import Trial, Tuned, tune
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.errors import InputError, RunFailed
from cgl_ignite.pipeline import RunResult, run
from cgl_ignite.tracking.memory import MemoryTracker
from tests.comparison.test_against import TREE

RATES = Tuning("optim.learning_rate", (1e-6, 1e-2))


def load(more: Sequence[str]) -> Pipeline:
    return load_pipeline({**TREE, "method": {"preset": "baseline"}, "seeds": [1, 2]}, more)


def test_the_best_on_the_holdout_is_trained_with_every_seed(workdir: Path) -> None:
    found = tune(RATES, load)
    scores = {trial.value: trial.accuracy for trial in found.trials}
    assert scores[1e-2] > scores[1e-6] and found.best.value == 1e-2
    assert [result.seed for result in found.results] == [1, 2]
    assert found.results[:1] == found.best.results
    assert found.setting == "optim.learning_rate=0.01" and found.end == "largest"
    assert len(list((workdir / "mlruns" / "runs").iterdir())) == 3, "two values, and one seed more"
    (alone,) = run(load(["seeds=[1]", "optim.learning_rate=1e-2"]), reuse=True)
    assert alone == found.results[0]


def test_the_tracker_tells_the_values_apart(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = MemoryTracker()
    monkeypatch.setattr("cgl_ignite.pipeline.session.make_tracker", lambda *store: tracker)
    tune(RATES, load)
    groups = {run_id: one.info.name for run_id, one in tracker.runs.items() if one.info.seed is None}
    small, large = (f" baseline, optim.learning_rate={value} (" for value in ("1e-06", "0.01"))
    assert [small in name or large in name for name in groups.values()] == [True, True]
    children = [(groups[one.info.parent], one.info.seed) for one in tracker.runs.values() if one.info.parent]
    assert [(small in name, large in name, seed) for name, seed in children] == [
        (True, False, 1),
        (False, True, 1),
        (False, True, 2),
    ]


def test_again_it_trains_nothing(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = tune(RATES, load)
    monkeypatch.setattr("cgl_ignite.pipeline.session.run_seed", None)
    assert tune(RATES, load) == first


def test_a_value_that_fails_is_told_and_the_others_are_trained(workdir: Path) -> None:
    found = tune(Tuning("optim.learning_rate", (1e30, 1e-2)), load)
    assert not found.trials[0].results and "not finite" in found.trials[0].reason
    assert found.best.value == 1e-2
    assert found.tree()["values"][0] == {"value": 1e30, "failed": found.trials[0].reason}
    with pytest.raises(RunFailed, match=r"failed with every value of optim\.learning_rate; the first: .*not finite"):
        tune(Tuning("optim.learning_rate", (1e30, 1e31)), load)


def test_each_value_may_be_tried_with_several_seeds(workdir: Path) -> None:
    found = tune(replace(RATES, seeds=2), load)
    assert [[result.seed for result in trial.results] for trial in found.trials] == [[1, 2], [1, 2]]
    for trial in found.trials:
        first, second = trial.results
        assert trial.accuracy == pytest.approx((first.holdout_accuracy + second.holdout_accuracy) / 2)
        assert first.holdout_standard_error and second.holdout_standard_error
        variance = first.holdout_standard_error**2 + second.holdout_standard_error**2
        assert trial.standard_error == pytest.approx(variance**0.5 / 2)
    assert found.results == found.best.results
    assert found.tree()["values"][0]["run_ids"] == [result.run_id for result in found.trials[0].results]
    assert len(list((workdir / "mlruns" / "runs").iterdir())) == 4


def test_the_mean_over_the_seeds_decides(workdir: Path, monkeypatch: pytest.MonkeyPatch, result: RunResult) -> None:
    reached = {0.1: {1: 90.0, 2: 70.0, 3: 50.0}, 0.2: {1: 80.0, 2: 85.0, 3: 40.0}}

    def trained(pipeline: Pipeline, **options: Any) -> list[RunResult]:
        accuracies = reached[pipeline.optim.learning_rate]
        return [replace(result, seed=seed, holdout_accuracy=accuracies[seed]) for seed in pipeline.seeds]

    monkeypatch.setattr("cgl_ignite.comparison.tuned.run", trained)
    monkeypatch.setattr("cgl_ignite.comparison.rows._cross_entropy", lambda run: 1.0)
    rates = Tuning("optim.learning_rate", (0.1, 0.2))
    assert tune(rates, lambda more: load([*more, "seeds=[1, 2, 3]"])).best.value == 0.1
    assert tune(replace(rates, seeds=2), lambda more: load([*more, "seeds=[1, 2, 3]"])).best.value == 0.2


def test_values_are_checked_before_anything_is_trained(workdir: Path) -> None:
    with pytest.raises(InputError, match=r"optim\.learning_rate"):
        tune(Tuning("optim.learning_rate", (1e-3, -1.0)), load)
    with pytest.raises(InputError, match=r"--tune optim\.learning_rate: 0\.001 and 0\.001 give the same training"):
        tune(Tuning("optim.learning_rate", (1e-3, 0.001)), load)
    with pytest.raises(InputError, match=r"--tune run\.threads: 1 and 2 give the same training"):
        tune(Tuning("run.threads", (1, 2)), load)
    with pytest.raises(InputError, match=r"--tune-seeds 3 is more than there are seeds \(1, 2\); give more seeds"):
        tune(replace(RATES, seeds=3), load)
    assert not (workdir / "mlruns").exists()


def trial(value: Any, accuracy: float, result: RunResult) -> Trial:
    return Trial(value, [replace(result, holdout_accuracy=accuracy, holdout_standard_error=2.0)])


def tuned(values: Sequence[Any], accuracies: Sequence[float], result: RunResult) -> Tuned:
    trials = [trial(value, one, result) for value, one in zip(values, accuracies, strict=True)]
    return Tuned("a.b", trials, trials[accuracies.index(max(accuracies))], [result])


def test_what_few_rows_do_not_tell_apart(result: RunResult) -> None:
    found = tuned([1, 2, 3, 4], [87.9, 90.0, 88.1, 70.0], result)
    assert [found.is_close(one) for one in found.trials] == [False, False, True, False]
    assert not found.is_close(Trial(5, (), "failed"))


@pytest.mark.parametrize(
    ("values", "accuracies", "end"),
    [
        ([1e-3, 1e-2, 1e-1], [1.0, 2.0, 3.0], "largest"),
        ([1e-3, 1e-2, 1e-1], [3.0, 2.0, 1.0], "smallest"),
        ([1e-3, 1e-2, 1e-1], [1.0, 3.0, 2.0], None),
        ([1e-3], [1.0], None),
        (["adam", "sgd"], [1.0, 2.0], None),
        ([False, True], [1.0, 2.0], None),
        ([{"kind": "none"}, {"kind": "cutmix"}], [1.0, 2.0], None),
    ],
)
def test_the_best_at_an_end_may_not_be_the_best(
    result: RunResult, values: Sequence[Any], accuracies: Sequence[float], end: str | None
) -> None:
    assert tuned(values, accuracies, result).end == end
