"""Rows that a comparison derives from its methods: trained for several lengths, or with the best of several values."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from cgl_ignite.comparison.budget import with_epochs
from cgl_ignite.comparison.report import ComparisonReport
from cgl_ignite.config.dump import toml_value
from cgl_ignite.config.load import load_document
from cgl_ignite.config.rows import Place, reference_among
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.errors import InputError, RunFailed
from cgl_ignite.tracking.files import read_rows

__all__ = ["Choice", "Tuning", "end_of", "holdout_score", "rows_of_lengths"]


def rows_of_lengths(
    methods: Mapping[str, Pipeline], lengths: Sequence[int]
) -> tuple[dict[str, Pipeline], dict[str, Place]]:
    """Return each method once for every length, which multiplies its epochs, and where these rows stand.

    Each is measured against the baseline of its length, or, without a baseline, against the first method.
    """
    reference = reference_among(list(methods), {})
    pipelines, places = {}, {}
    for name, one in methods.items():
        for length in lengths:
            row = f"{name} x{length}"
            pipelines[row] = with_epochs(one, one.run.epochs * length)
            places[row] = Place(name, method=name, against=f"{reference} x{length}", length=length)
    return pipelines, places


@dataclass(frozen=True)
class Choice:
    """The value that a method gets.

    Attributes:
        value: the best of those that were tried.
        tried: every value with its holdout accuracy in percent, None where the training has failed.
    """

    value: Any
    tried: Sequence[tuple[Any, float | None]]

    @property
    def end(self) -> str | None:
        """Which end of the values it is, as of :func:`end_of`."""
        return end_of(self.value, [value for value, _ in self.tried])


@dataclass(frozen=True)
class Tuning:
    """A key of the pipeline, and the values from which each method gets the one that is best on the holdout.

    Attributes:
        key: of the pipeline.
        values: that are tried.
        seeds: with so many of the seeds, the first ones; the mean over them counts.
    """

    key: str
    values: tuple[Any, ...]
    seeds: int = 1

    @classmethod
    def read(cls, text: str) -> Tuning:
        """Read ``KEY=[A, B]``.

        Raises:
            InputError: it is not a key with a list of values.
        """
        tree: Any = load_document({}, [text]).tree if "=" in text else None
        names = []
        while isinstance(tree, dict) and len(tree) == 1:
            ((name, tree),) = tree.items()
            names.append(name)
        if not isinstance(tree, list) or not tree:
            raise InputError(f"must be KEY=[A, B], such as optim.learning_rate=[1e-3, 3e-3], not {text!r}")
        return cls(".".join(names), tuple(tree))

    def __str__(self) -> str:
        return f"{self.key}={toml_value(self.values)}"

    @property
    def options(self) -> list[str]:
        """The options of the command line that say the same."""
        return ["--tune", str(self), *([] if self.seeds == 1 else ["--tune-seeds", str(self.seeds)])]

    def first(self, seeds: Sequence[int]) -> list[int]:
        """Return the seeds with which values are tried.

        Raises:
            InputError: they are more than there are.
        """
        if self.seeds > len(seeds):
            there = ", ".join(map(str, seeds))
            raise InputError(f"--tune-seeds {self.seeds} is more than there are seeds ({there}); give more seeds")
        return list(seeds[: self.seeds])

    def overrides(self, chosen: Mapping[str, Any]) -> list[str]:
        """Write ``--set`` texts that give each method its value."""
        key = self.key.removeprefix("method.")
        return [f"methods.{json.dumps(name)}.{key}={toml_value(value)}" for name, value in chosen.items()]

    def choose(
        self,
        names: Sequence[str],
        bind: Callable[[Sequence[str]], Mapping[str, Pipeline]],
        run: Callable[[Mapping[str, Pipeline]], ComparisonReport],
    ) -> dict[str, Choice]:
        """Train every method with every value, and choose by holdout accuracy, ties by lower holdout cross-entropy.

        A value with which a run has failed is not chosen.

        Args:
            names: of the methods.
            bind: makes their pipelines, given further ``--set`` texts.
            run: compares pipelines.

        Raises:
            RunFailed: a method has failed with every value.
        """
        rows = {
            self._row(name, value): one
            for value in self.values
            for name, one in bind(self.overrides(dict.fromkeys(names, value))).items()
        }
        whole = [row for row in run(rows).methods if len(row.runs) == self.seeds]
        scores = {row.name: holdout_score(list(row.runs.values())) for row in whole}
        chosen = {}
        for name in names:
            found = [(value, scores.get(self._row(name, value))) for value in self.values]
            reached = [(score, value) for value, score in found if score is not None]
            if not reached:
                raise RunFailed(f"{name} failed with every value of {self.key}")
            _, best = max(reached, key=lambda pair: pair[0])
            chosen[name] = Choice(best, [(value, None if score is None else score[0]) for value, score in found])
        return chosen

    def _row(self, name: str, value: Any) -> str:
        return f"{name} {self.key}={toml_value(value)}"


def end_of(value: Any, values: Sequence[Any]) -> str | None:
    """Say whether a number is the ``smallest`` or the ``largest`` of several; None if it lies between others.

    Example:
        >>> end_of(3e-3, [1e-3, 3e-3]), end_of(3e-3, [1e-3, 3e-3, 1e-2]), end_of("adam", ["adam", "sgd"])
        ('largest', None, None)
    """
    if len(values) < 2 or not all(type(one) in (int, float) for one in values):
        return None
    return {min(values): "smallest", max(values): "largest"}.get(value)


def holdout_score(runs: Sequence[Any]) -> tuple[float, float]:
    """Return the mean holdout accuracy of the selected students of some runs, and their mean cross-entropy, negated."""
    return fmean(run.holdout_accuracy for run in runs), -fmean(map(_cross_entropy, runs))


def _cross_entropy(run: Any) -> float:
    """Read the holdout cross-entropy of the selected student from the rows of its run."""
    rows = read_rows(Path(run.checkpoint).parent / "metrics.jsonl")
    key = f"holdout/cross_entropy/student_{run.selected_student}"
    return next(row.values[key] for row in rows if row.epoch == run.selected_epoch and not row.final)
