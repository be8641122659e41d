"""What a run hands over as values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from cgl_ignite.errors import InputError
from cgl_ignite.tracking import Store, is_settled, own_store

__all__ = ["RunResult", "average_over_seeds", "read_result", "results_markdown"]


@dataclass(frozen=True)
class RunResult:
    """The outcome of one run (one seed). Accuracies are percentages.

    Attributes:
        selected_student: index from 0.
        selected_epoch: epoch from 1.
        test_accuracy: of the selected student at the selected epoch.
        mean_test_accuracy: over all students at the selected epoch.
        diversity: mean pairwise distance of predictions on the test set; None for one student.
        parameters: all that are trained; ``parameters_student``: those of the student handed over.
        train_seconds: without evaluation, summed over resumes.
        samples_per_second: own samples of all students.
        model: the student in MLflow, None if the tracker did not take it.
        holdout_standard_error: of ``holdout_accuracy`` for a holdout of n rows, sqrt(a (1 - a) / n); in percent.
        chance_accuracy: on the holdout, of always answering its most frequent class.
        at_chance: whether the selected student exceeds, on the holdout or on the test part, the accuracy of always
            answering the most frequent class there by at most a standard error.
        training_accuracy: of the selected student on at most 2,000 training rows that it has learned, not augmented.
        diagnosis: one sentence on how it has learned, and what that suggests (:mod:`cgl_ignite.analysis.diagnosis`).
        metrics: of the predictions of the selected student on the test part, those that ``run.metrics`` names; of each
            class by its name.
        tracked: whether MLflow has all of the run: its rows, its artifacts and its student.

    What older results do not hold is None.
    """

    run_id: str
    seed: int
    method: str
    dataset: str
    backbone: str
    students: int
    selected_student: int
    selected_epoch: int
    holdout_accuracy: float
    test_accuracy: float
    mean_test_accuracy: float
    diversity: float | None
    parameters: int
    parameters_student: int
    train_seconds: float
    samples_per_second: float
    checkpoint: str
    tracking_uri: str
    student: str
    model: str | None
    holdout_standard_error: float | None = None
    chance_accuracy: float | None = None
    at_chance: bool | None = None
    training_accuracy: float | None = None
    diagnosis: str | None = None
    metrics: Mapping[str, Any] | None = None
    tracked: bool | None = None

    def json(self) -> str:
        """Write the result as one JSON object."""
        return json.dumps(asdict(self))


def read_result(path: Path) -> RunResult:
    """Read the result of a finished run, with the paths of where its folder lies now.

    Raises:
        InputError: a file that is no result.
    """
    try:
        values = _at(path.absolute().parent, json.loads(path.read_text("utf-8")))
        known: dict[str, Any] = {
            field.name: values[field.name] for field in fields(RunResult) if field.default is MISSING
        }
        later: dict[str, Any] = {
            field.name: values.get(field.name) for field in fields(RunResult) if field.name not in known
        }
        return RunResult(**known, **{**later, "tracked": is_settled(path.parent)})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not the result of a run ({error})") from error


def _at(here: Path, values: dict[str, Any]) -> dict[str, Any]:
    """Let the paths of a result lead to the folder of its run, and to the store beside it if it was there before."""
    there = Path(values["checkpoint"]).parent
    if there == here:
        return values
    moved = {name: str(here / Path(values[name]).name) for name in ("checkpoint", "student")}
    if Store(values["tracking_uri"], None).database == there.parents[1] / "mlflow.db":
        moved["tracking_uri"] = own_store(here.parents[1]).uri
    return {**values, **moved}


MEASURED = (
    "holdout_accuracy", "test_accuracy", "mean_test_accuracy", "diversity", "train_seconds", "samples_per_second",
)  # fmt: skip


def average_over_seeds(results: Sequence[RunResult]) -> Mapping[str, tuple[float, float]]:
    """Mean and sample standard deviation over seeds of what was measured; one seed has no deviation (0)."""
    table: dict[str, Any] = {name: [getattr(result, name) for result in results] for name in MEASURED}
    return {
        name: (fmean(values), stdev(values) if len(values) > 1 else 0.0)
        for name, values in table.items()
        if None not in values
    }


SHOWN = {
    "test_accuracy": ("test accuracy, %", ".2f"),
    "holdout_accuracy": ("holdout accuracy, %", ".2f"),
    "mean_test_accuracy": ("test accuracy, mean of students, %", ".2f"),
    "diversity": ("diversity", ".3f"),
    "train_seconds": ("training time, s", ".1f"),
}


def results_markdown(results: Sequence[RunResult]) -> str:
    """Write the results of the seeds of a pipeline as a table, with their mean and standard deviation."""
    first = results[0]
    rows = [["seed", "student", "epoch", *(title for title, _ in SHOWN.values())]]
    rows.append(["---"] * len(rows[0]))
    for result in results:
        measured = [_number(getattr(result, name), form) for name, (_, form) in SHOWN.items()]
        rows.append([str(result.seed), str(result.selected_student), str(result.selected_epoch), *measured])
    if len(results) > 1:
        pairs = average_over_seeds(results)
        spread = [" ± ".join(_number(value, SHOWN[name][1]) for value in pairs.get(name, (None,))) for name in SHOWN]
        rows.append(["mean ± std", "", "", *spread])
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"### {first.method}: {first.students} x {first.backbone} on {first.dataset}\n\n{table}\n"


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
