"""A pipeline trained with several values of one key: the first trainings of ``cgl run --tune``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import hypot
from statistics import fmean
from typing import Any

from cgl_ignite.comparison.datasets import DataStore
from cgl_ignite.comparison.rows import Tuning, end_of, holdout_score
from cgl_ignite.config.dump import fingerprint, toml_value
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.display import Screen
from cgl_ignite.errors import InputError, RunFailed
from cgl_ignite.pipeline import RunResult, run

__all__ = ["Trial", "Tuned", "tune"]


@dataclass(frozen=True)
class Trial:
    """The runs with one value, one for each seed; there are none if one has failed, for this ``reason``."""

    value: Any
    results: Sequence[RunResult]
    reason: str = ""

    @property
    def accuracy(self) -> float:
        """The mean holdout accuracy in percent."""
        return fmean(result.holdout_accuracy for result in self.results)

    @property
    def standard_error(self) -> float | None:
        """The standard error of this mean, if each seed has a holdout of its own; None if one is not known."""
        errors = [result.holdout_standard_error for result in self.results]
        known = [error for error in errors if error is not None]
        return hypot(*known) / len(known) if known and len(known) == len(errors) else None


@dataclass(frozen=True)
class Tuned:
    """What all values reached.

    Attributes:
        key: whose values were tried.
        trials: in the order in which the values were given.
        best: the trial with the highest holdout accuracy; of equal ones, that with the lowest cross-entropy.
        results: the runs with the best value, one for each seed.
    """

    key: str
    trials: Sequence[Trial]
    best: Trial
    results: Sequence[RunResult]

    @property
    def setting(self) -> str:
        """The chosen value as ``--set`` takes it."""
        return f"{self.key}={toml_value(self.best.value)}"

    @property
    def end(self) -> str | None:
        """Which end of the values the best one is, ``smallest`` or ``largest``; None if it lies between others."""
        return end_of(self.best.value, [trial.value for trial in self.trials])

    def is_close(self, trial: Trial) -> bool:
        """Whether a trial is within a standard error of the best one: the holdout does not tell them apart."""
        if trial is self.best or not trial.results:
            return False
        return trial.accuracy > self.best.accuracy - (self.best.standard_error or 0.0)

    def tree(self) -> dict[str, Any]:
        """Return it as plain values, without the test accuracy of values that were not chosen."""
        return {"key": self.key, "chosen": self.best.value, "values": [_tree(trial) for trial in self.trials]}


def tune(
    tuning: Tuning,
    load: Callable[[Sequence[str]], Pipeline],
    *,
    screen: Screen | None = None,
    tell: Callable[[str], object] = lambda text: None,
    register: str | None = None,
) -> Tuned:
    """Train a pipeline with every value and its first seeds, and with the best value and all seeds.

    A training that is there already is taken, or gone on with.

    Args:
        tuning: the key, its values, and with how many seeds each is tried.
        load: makes the pipeline, given further ``--set`` texts.
        screen: shows each training; ``tell``: is told which value comes next.
        register: make the selected student a version of the registered model of this name.

    Raises:
        InputError: something that the user gave is wrong, two values give the same pipeline, or seeds are missing.
        RunFailed: the training has failed with every value, or with the best one and another seed.
        Interrupted: Ctrl-C or SIGTERM; the state is saved.
    """
    pipelines = [load([f"{tuning.key}={toml_value(value)}"]) for value in tuning.values]
    _refuse_equal(tuning, pipelines)
    for one in pipelines:
        tuning.first(one.seeds)
    data = DataStore()
    trials: list[Trial] = []
    for value, one in zip(tuning.values, pipelines, strict=True):
        tell(f"{len(trials) + 1} of {len(pipelines)}: {tuning.key} = {toml_value(value)}")
        trials.append(_trial(tuning, value, one, screen, data))
    scores = {place: holdout_score(trial.results) for place, trial in enumerate(trials) if trial.results}
    if not scores:
        raise RunFailed(f"the training has failed with every value of {tuning.key}; the first: {trials[0].reason}")
    best = max(scores, key=lambda place: scores[place])
    results = run(pipelines[best], reuse=True, screen=screen, register=register, read=data.read)
    return Tuned(tuning.key, trials, trials[best], results)


def _refuse_equal(tuning: Tuning, pipelines: Sequence[Pipeline]) -> None:
    known: dict[str, Any] = {}
    for value, one in zip(tuning.values, pipelines, strict=True):
        if (setting := fingerprint(one)) in known:
            raise InputError(
                f"--tune {tuning.key}: {toml_value(known[setting])} and {toml_value(value)} give the same training"
            )
        known[setting] = value


def _trial(tuning: Tuning, value: Any, pipeline: Pipeline, screen: Screen | None, data: DataStore) -> Trial:
    first = pipeline.model_copy(update={"seeds": tuning.first(pipeline.seeds)})
    try:
        results = run(first, reuse=True, screen=screen, read=data.read, tried=f"{tuning.key}={toml_value(value)}")
    except RunFailed as error:
        return Trial(value, (), str(error))
    return Trial(value, results)


def _tree(trial: Trial) -> dict[str, Any]:
    if not trial.results:
        return {"value": trial.value, "failed": trial.reason}
    runs = [result.run_id for result in trial.results]
    accuracies = {"holdout_accuracy": trial.accuracy, "holdout_standard_error": trial.standard_error}
    return {"value": trial.value, "run_id": runs[0], "run_ids": runs, **accuracies}
