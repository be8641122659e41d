"""The names under which values are recorded: in the journal, and in MLflow.

In the journal ``holdout/accuracy/student_3`` is one student's value, ``holdout/accuracy_mean`` (``_min``, ``_max``)
that of all students, and ``holdout/accuracy_selected`` that of the selected one. ``holdout/recall/class_3`` is a metric
of the fourth class, of the selected student.

MLflow sorts metrics by name and draws a section for each prefix, so there they have other names, with what a reader
looks for first: :func:`mlflow_name`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import isfinite
from statistics import fmean
from typing import Any

from cgl_ignite.display.screen import Progress, ShownScores

__all__ = ["EPOCH", "STUDENTS", "epoch_values", "final_values", "mlflow_name", "per_student"]

EPOCH = "schedule/epoch"
"""In MLflow, the number of the epoch; the newest row that it has is known by it."""
STUDENTS = "students"
"""In MLflow, the prefix of all values that are not the selected student's."""

_PARTS = "holdout", "test", "training"
_VALUE = re.compile(rf"({'|'.join(_PARTS)})/(.+?)(?:/(student_\d+)|_(mean|min|max|selected))?")


def per_student(key: str, values: Sequence[float], selected: int) -> dict[str, float]:
    """Name one value per student, with their mean, least and greatest, and that of the selected student.

    Example:
        >>> per_student("holdout/accuracy", [50.0, 60.0], selected=1)
        {'holdout/accuracy/student_0': 50.0, 'holdout/accuracy/student_1': 60.0,
         'holdout/accuracy_mean': 55.0, 'holdout/accuracy_min': 50.0, 'holdout/accuracy_max': 60.0,
         'holdout/accuracy_selected': 60.0}
    """
    named = {f"{key}/student_{student}": float(value) for student, value in enumerate(values)}
    spread = {"mean": fmean(values), "min": min(values), "max": max(values)}
    if selected < len(values):
        spread["selected"] = float(values[selected])
    return {**named, **{f"{key}_{name}": value for name, value in spread.items()}}


def mlflow_name(key: str) -> str:
    """Return the name in MLflow of a value of the journal, this version's or an earlier one's.

    Example:
        >>> mlflow_name("holdout/accuracy_selected"), mlflow_name("holdout/diversity")
        ('accuracy/holdout', 'diversity/holdout')
        >>> mlflow_name("holdout/accuracy/student_3"), mlflow_name("training/cross_entropy_mean")
        ('students/accuracy/holdout/student_3', 'students/cross_entropy/training/mean')
        >>> mlflow_name("schedule/ramp")
        'schedule/ramp'
    """
    found = _VALUE.fullmatch(key)
    if found is None:
        return key
    part, measure, student, spread = found.groups()
    name = f"{measure}/{part}"
    return name if student is None and spread in (None, "selected") else f"{STUDENTS}/{name}/{student or spread}"


def epoch_values(state: Progress) -> dict[str, float]:
    """Name all values of an epoch that stand on ``engine.state``."""
    selected = state.selected
    return {
        **per_student("training/cross_entropy", state.training.ce, selected.student),
        **per_student("training/imitation", state.training.kl, selected.student),
        **_scores("holdout", state.holdout, selected.student),
        "selected/student": float(selected.student),
        "selected/epoch": float(selected.epoch),
        "selected/holdout_accuracy": selected.score,
        "schedule/ramp": state.ramp,
        "schedule/learning_rate": state.learning_rate,
        "speed/samples_per_second": state.samples_per_second,
        "speed/peak_memory_megabytes": state.peak_memory / 1e6,
    }


def final_values(scores: ShownScores, selected: int) -> dict[str, float]:
    """Name the scores on the test set; ``selected`` is the selected student."""
    return _scores("test", scores, selected)


def _scores(split: str, scores: ShownScores, selected: int) -> dict[str, float]:
    values = {
        **per_student(f"{split}/accuracy", scores.accuracy, selected),
        **per_student(f"{split}/cross_entropy", scores.cross_entropy, selected),
    }
    if scores.diversity is not None:
        values[f"{split}/diversity"] = scores.diversity
    more: Mapping[str, Any] = getattr(scores, "more", {})
    for key, value in more.items():
        if isinstance(value, (int, float)):
            values[f"{split}/{key}"] = float(value)
        elif isinstance(value, Sequence) and all(isinstance(one, (int, float)) and isfinite(one) for one in value):
            values.update(per_student(f"{split}/{key}", value, selected))
    per_class: Mapping[str, Sequence[Sequence[float]]] = getattr(scores, "per_class", {})
    for key, table in per_class.items():
        own = enumerate(table[selected] if selected < len(table) else ())
        values |= {f"{split}/{key}/class_{number}": value for number, value in own if isfinite(value)}
    return values
