"""A pipeline trained with several values of one key: the first trainings of ``cgl run --tune``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
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
    """The training with one value; ``result`` is None if it has failed, for this ``reason``."""

    value: Any
    result: RunResult | None
    reason: str = ""


@dataclass(frozen=True)
class Tuned:
    """What all values reached.

    Attributes:
        key: whose values were tried.
        trials: with the first seed, in the order in which the values were given.
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
        if trial is self.best or trial.result is None or self.best.result is None:
            return False
        least = self.best.result.holdout_accuracy - (self.best.result.holdout_standard_error or 0.0)
        return trial.result.holdout_accuracy > least

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
    """Train a pipeline with every value and its first seed, and with the best value and all seeds.

    A training that is there already is taken, or gone on with.

    Args:
        tuning: the key and its values.
        load: makes the pipeline, given further ``--set`` texts.
        screen: shows each training; ``tell``: is told which value comes next.
        register: make the selected student a version of the registered model of this name.

    Raises:
        InputError: something that the user gave is wrong, or two values give the same pipeline.
        RunFailed: the training has failed with every value, or with the best one and another seed.
        Interrupted: Ctrl-C or SIGTERM; the state is saved.
    """
    pipelines = [load([f"{tuning.key}={toml_value(value)}"]) for value in tuning.values]
    _refuse_equal(tuning, pipelines)
    data = DataStore()
    trials: list[Trial] = []
    for value, one in zip(tuning.values, pipelines, strict=True):
        tell(f"{len(trials) + 1} of {len(pipelines)}: {tuning.key} = {toml_value(value)}")
        trials.append(_trial(tuning, value, one, screen, data))
    scores = {place: holdout_score([trial.result]) for place, trial in enumerate(trials) if trial.result}
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
    first = pipeline.model_copy(update={"seeds": pipeline.seeds[:1]})
    try:
        (result,) = run(first, reuse=True, screen=screen, read=data.read, tried=f"{tuning.key}={toml_value(value)}")
    except RunFailed as error:
        return Trial(value, None, str(error))
    return Trial(value, result)


def _tree(trial: Trial) -> dict[str, Any]:
    if trial.result is None:
        return {"value": trial.value, "failed": trial.reason}
    known = asdict(trial.result)
    names = ("run_id", "holdout_accuracy", "holdout_standard_error")
    return {"value": trial.value, **{name: known[name] for name in names}}
