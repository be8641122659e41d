"""What a task is: one value that holds every formula which depends on how rows are labelled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor

from cgl_ignite.data.base import DATASETS
from cgl_ignite.metrics.base import PerSample
from cgl_ignite.registry import Registry

__all__ = ["TASKS", "Coded", "Task", "task_of"]


class Coded(NamedTuple):
    """Predictions and targets as numbers that are equal where a prediction is right.

    Attributes:
        predicted: (K, N).
        targets: (N,).
        label_sets: which labels a number stands for, bool (numbers, classes); None if it is the number of a class.
    """

    predicted: Tensor
    targets: Tensor
    label_sets: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Task:
    """How rows are labelled, and the formulas that follow from that.

    Attributes:
        name: by which it is known to pipelines and cards.
        loss: of each sample with its label: logits (S, B, C), targets, label smoothing and class weights to (S, B).
        mixes: the divergences of imitation, by ``method.loss.mixes``, with the signature of those in
            :data:`cgl_ignite.objective.MIXES`.
        probabilities: of logits (..., C), in the same shape.
        decide: what logits (..., C) predict: a class (...,), or labels (..., C).
        together: logits (K, ..., C) of students to the logits (..., C) of the mean of their probabilities.
        scores: the metrics of single samples.
        code: turns what is decided for (K, N) rows, and their targets, into numbers.
        one_each: makes the targets of one row for each of so many classes.
        answers: what the logits mean, in a sentence for people.
        several_labels: whether the targets of a data set are numbers of sets of labels.
    """

    name: str
    loss: Callable[[Tensor, Tensor, float, Tensor | None], Tensor]
    mixes: Mapping[str, Callable[[Tensor, Tensor, Tensor, float, bool], Tensor]]
    probabilities: Callable[[Tensor], Tensor]
    decide: Callable[[Tensor], Tensor]
    together: Callable[[Tensor], Tensor]
    scores: Registry[PerSample]
    code: Callable[[Tensor, Tensor], Coded]
    one_each: Callable[[int], Tensor]
    answers: str
    several_labels: bool = False


TASKS: dict[str, Task] = {}
"""All tasks by their names."""


DEFAULT = "single_label"


def task_of(kind: str, options: Mapping[str, Any]) -> Task:
    """Return the task of a data set: by its option ``task``, or else by the fact of that name of its kind.

    Example:
        >>> task_of("digits", {}).name, task_of("local_text", {"task": "multi_label"}).name
        ('single_label', 'multi_label')
    """
    facts = DATASETS.facts(kind) if kind in DATASETS else {}
    return TASKS[options.get("task") or facts.get("task", DEFAULT)]
