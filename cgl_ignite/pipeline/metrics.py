"""The metrics of the predictions that a run measures: which they are, and what is handed over of them."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

import torch

from cgl_ignite.config.schema import Pipeline
from cgl_ignite.data import Splits
from cgl_ignite.errors import InputError
from cgl_ignite.handlers.state import Scores
from cgl_ignite.metrics import PREDICTION_METRICS, measure_predictions
from cgl_ignite.metrics.predictions import fault_of
from cgl_ignite.selection import compared_by
from cgl_ignite.tasks import task_of

__all__ = ["measured_metrics", "wanted_metrics"]


def wanted_metrics(pipeline: Pipeline, splits: Splits) -> tuple[str, ...]:
    """Name what ``run.metrics`` and the selection ask for, each once, after a trial on made-up predictions.

    Raises:
        InputError: a metric that fails, or that the classes or the rows of a part do not define.
    """
    chosen = _chosen(pipeline)
    classes, task = len(splits.classes), task_of(pipeline.data.kind, pipeline.data.options)
    for name, key in chosen.items():
        if fault := fault_of(name, classes, task.name):
            raise InputError(fault, key=key)
        if PREDICTION_METRICS.facts(name).get("every_class"):
            _refuse_missing_classes(name, key, splits)
    measure_predictions(torch.eye(classes).unsqueeze(0), task.one_each(classes), chosen, task.probabilities)
    return tuple(chosen)


def _refuse_missing_classes(name: str, key: str, splits: Splits) -> None:
    for part, examples in (("holdout", splits.holdout), ("test part", splits.test())):
        counts = examples.counts(len(splits.classes)).tolist()
        if missing := [repr(name) for name, count in zip(splits.classes, counts, strict=True) if not count]:
            fault = f"needs rows of every class, and the {part} has none of {', '.join(missing)}"
            raise InputError(f"{name!r} {fault}", key=key)


def _chosen(pipeline: Pipeline) -> dict[str, str]:
    """Name the metrics that a pipeline asks for, each with the key that does."""
    by = compared_by(pipeline.method.selection)
    return {**({by: "method.selection.by"} if by else {}), **dict.fromkeys(pipeline.run.metrics, "run.metrics")}


def measured_metrics(pipeline: Pipeline, scores: Scores, student: int, classes: Sequence[str]) -> dict[str, Any]:
    """Return the metrics of the predictions of one student, those of each class by its name; None for what is NaN."""
    found: dict[str, Any] = {}
    for name in _chosen(pipeline):
        if isinstance(values := scores.more.get(name), list):
            found[name] = _number(values[student])
        elif table := scores.per_class.get(name):
            found[name] = dict(zip(classes, map(_number, table[student]), strict=True))
    return found


def _number(value: float) -> float | None:
    return value if isfinite(value) else None
