"""What the predictions of all students come to, by the metrics that are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import torch
from torch import Tensor

from cgl_ignite.errors import InputError, choices, first_line, nearest
from cgl_ignite.metrics.base import METRICS, PREDICTION_METRICS

__all__ = ["better_if_lower", "defined_metrics", "fault_of", "is_of_each_class", "measure_predictions", "unit_of"]


_DEFAULT_TASK = "single_label"
SOFTMAX = partial(torch.softmax, dim=-1)


def measure_predictions(
    logits: Tensor,
    targets: Tensor,
    names: Iterable[str],
    probabilities_of: Callable[[Tensor], Tensor] = SOFTMAX,
) -> dict[str, Tensor]:
    """Measure the predictions of each student, one student at a time, in float64; nothing waits for the device.

    Shape: logits (K, N, C), targets (N,), or (N, C) where rows have several labels; of each metric (K,), or (K, C) if
    it is one of each class.

    Raises:
        InputError: a metric that fails, or gives something else.
    """
    found: dict[str, list[Tensor]] = {name: [] for name in names}
    for one in logits:
        probabilities = probabilities_of(one.double())
        for name, values in found.items():
            values.append(_measure(name, probabilities, targets))
    return {name: torch.stack(values) for name, values in found.items()}


def _measure(name: str, probabilities: Tensor, targets: Tensor) -> Tensor:
    shape = probabilities.shape[1:] if is_of_each_class(name) else ()
    try:
        value = torch.as_tensor(PREDICTION_METRICS.get(name)(probabilities, targets))
    except Exception as error:
        fault = f"fails on probabilities {tuple(probabilities.shape)} ({type(error).__name__}: {first_line(error)})"
        raise InputError(f"the metric {name!r} {fault}", key="run.metrics") from error
    if value.shape != shape:
        wanted = "one number for each class" if shape else "one number"
        message = f"the metric {name!r} must give {wanted}, not a tensor of shape {tuple(value.shape)}"
        raise InputError(message, key="run.metrics")
    return value.double()


def is_of_each_class(name: str) -> bool:
    """Tell whether a metric has one value for each class."""
    return PREDICTION_METRICS.facts(name).get("each") == "class"


def better_if_lower(name: str) -> bool:
    """Tell whether lower values of a metric are better."""
    return PREDICTION_METRICS.facts(name).get("better") == "lower"


def unit_of(name: str) -> str:
    """Return the unit of a metric, ``"%"`` or nothing; metrics that are not registered here have none."""
    return str(PREDICTION_METRICS.facts(name).get("unit", "")) if name in PREDICTION_METRICS else ""


def fault_of(name: str, classes: int | None = None, task: str = _DEFAULT_TASK) -> str:
    """Say what is wrong with a metric by its name, for this many classes if they are known; empty if it is right."""
    if name in METRICS.kinds():
        return f"{name!r} is measured in any case; leave it out"
    if name not in PREDICTION_METRICS:
        known = [kind for kind in PREDICTION_METRICS.kinds() if _is_defined(kind, task)]
        return f"must be {choices(known)}, not {name!r}{nearest(name, known)}"
    if not _is_defined(name, task):
        known = [kind for kind in PREDICTION_METRICS.kinds() if _is_defined(kind, task)]
        return f"{name!r} is not defined for the task {task!r}; it has {', '.join(map(repr, known))}"
    least, most = PREDICTION_METRICS.facts(name).get("classes", (2, None))
    if classes is None or least <= classes <= (most or classes):
        return ""
    wanted = f"{least} classes" if least == most else f"at least {least} classes"
    return f"{name!r} is defined for {wanted}, and the data set has {classes}"


def defined_metrics(counts: Sequence[int], task: str = _DEFAULT_TASK) -> list[str]:
    """Name all metrics that are defined for a part with so many rows of each class."""
    return [
        name
        for name in PREDICTION_METRICS.kinds()
        if not fault_of(name, len(counts), task)
        and (min(counts) or not PREDICTION_METRICS.facts(name).get("every_class"))
    ]


def _is_defined(name: str, task: str) -> bool:
    return task in PREDICTION_METRICS.facts(name).get("tasks", (_DEFAULT_TASK,))
