"""The task with one class for each row: softmax and cross-entropy."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from cgl_ignite.metrics.base import METRICS
from cgl_ignite.objective import MIXES, cross_entropy
from cgl_ignite.tasks.base import TASKS, Coded, Task

__all__ = ["SINGLE_LABEL"]


def _probabilities(logits: Tensor) -> Tensor:
    return logits.softmax(dim=-1)


def _decide(logits: Tensor) -> Tensor:
    return logits.argmax(dim=-1).to(torch.int16)


def _together(logits: Tensor) -> Tensor:
    return logits.log_softmax(dim=-1).logsumexp(dim=0) - math.log(len(logits))


def _code(predicted: Tensor, targets: Tensor) -> Coded:
    return Coded(predicted, targets.to(torch.int16))


SINGLE_LABEL = Task(
    name="single_label",
    loss=cross_entropy,
    mixes=MIXES,
    probabilities=_probabilities,
    decide=_decide,
    together=_together,
    scores=METRICS,
    code=_code,
    one_each=torch.arange,
    answers="one logit per class; softmax makes them probabilities",
)
"""One class for each row."""

TASKS[SINGLE_LABEL.name] = SINGLE_LABEL
