"""The names under which values are recorded.

``holdout/accuracy/student_3`` is one student's, ``holdout/accuracy_mean`` (``_min``, ``_max``) that of all,
and ``holdout/accuracy_selected`` that of the selected one: so MLflow's pages show the few of a split
before the many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from cgl_ignite.display.screen import Progress, ShownScores

__all__ = ["epoch_values", "final_values", "per_student"]


def per_student(key: str, values: Sequence[float]) -> dict[str, float]:
    """Name one value per student, with their mean, least and greatest.

    Example:
        >>> per_student("holdout/accuracy", [50.0, 60.0])
        {'holdout/accuracy/student_0': 50.0, 'holdout/accuracy/student_1': 60.0,
         'holdout/accuracy_mean': 55.0, 'holdout/accuracy_min': 50.0, 'holdout/accuracy_max': 60.0}
    """
    named = {f"{key}/student_{student}": float(value) for student, value in enumerate(values)}
    return {**named, f"{key}_mean": fmean(values), f"{key}_min": min(values), f"{key}_max": max(values)}


def epoch_values(state: Progress) -> dict[str, float]:
    """Name all values of an epoch that stand on ``engine.state``."""
    selected = state.selected
    return {
        **per_student("training/cross_entropy", state.training.ce),
        **per_student("training/imitation", state.training.kl),
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
        **per_student(f"{split}/accuracy", scores.accuracy),
        f"{split}/accuracy_selected": scores.accuracy[selected],
        **per_student(f"{split}/cross_entropy", scores.cross_entropy),
    }
    if scores.diversity is not None:
        values[f"{split}/diversity"] = scores.diversity
    more: Mapping[str, Any] = getattr(scores, "more", {})
    for key, value in more.items():
        if isinstance(value, (int, float)):
            values[f"{split}/{key}"] = float(value)
        elif isinstance(value, Sequence) and all(isinstance(one, (int, float)) for one in value):
            values.update(per_student(f"{split}/{key}", value))
    return values
