"""What the students of a pool know together: the mean of their predictions, beside each of them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from cgl_ignite.analysis.statistics import Interval, bootstrap_interval, mean_difference
from cgl_ignite.tasks import SINGLE_LABEL, Task

__all__ = ["EnsembleScores", "Score", "ensemble_scores"]


class Score(NamedTuple):
    """Accuracy in percent and cross-entropy in nats."""

    accuracy: float
    cross_entropy: float


@dataclass(frozen=True)
class EnsembleScores:
    """The ensemble of all students on ``n`` samples, and its students.

    Attributes:
        students: of each student alone.
        selected: the student (from 0) that was selected on the holdout.
        difference: how much more often the ensemble is right than the selected student, in percentage points.
        interval: of this difference, over samples.
    """

    ensemble: Score
    students: tuple[Score, ...]
    selected: int
    difference: float
    interval: Interval
    n: int

    @property
    def best(self) -> int:
        """The student with the highest accuracy on these samples; ties go to the lower cross-entropy."""
        ranks = [(score.accuracy, -score.cross_entropy) for score in self.students]
        return ranks.index(max(ranks))

    @property
    def mean(self) -> Score:
        """Means over the students."""
        return Score(*(math.fsum(values) / len(values) for values in zip(*self.students, strict=True)))


def ensemble_scores(
    batches: Iterable[tuple[Tensor, Tensor]], selected: int, task: Task = SINGLE_LABEL
) -> EnsembleScores:
    r"""Score the ensemble and its students on all samples of some batches.

    The ensemble predicts the mean of the students' probabilities, at temperature 1:

    .. math:: p_e(x) = \frac{1}{K} \sum_k \sigma(z_k(x))

    Shape: logits (K, B, C) and targets (B,) of each batch, or (B, C) where rows have several labels.

    Args:
        batches: logits and targets, on one device.
        selected: the student whose distance from the ensemble is wanted.
        task: how rows are labelled.
    """
    hits, losses = zip(*(_by_sample(*batch, task) for batch in batches), strict=True)
    right, loss = torch.cat(hits), torch.cat(losses)
    *students, ensemble = map(Score, right.mean(0).tolist(), loss.mean(0).tolist())
    correct = right.T > 0
    differences = mean_difference(correct[-1:].numpy(), correct[selected : selected + 1].numpy())
    return EnsembleScores(
        ensemble=ensemble,
        students=tuple(students),
        selected=selected,
        difference=float(differences.mean()),
        interval=bootstrap_interval(differences),
        n=len(right),
    )


def _by_sample(logits: Tensor, targets: Tensor, task: Task) -> tuple[Tensor, Tensor]:
    """Score the students, and after them the ensemble, on every sample. Shape: results (B, K + 1), on the CPU."""
    given = logits.double()
    answers = torch.cat([task.together(given.unsqueeze(0)), task.together(given).unsqueeze(0)])
    accuracy, cross_entropy = (task.scores.get(name)(answers, targets) for name in ("accuracy", "cross_entropy"))
    return accuracy.double().cpu(), cross_entropy.cpu()
