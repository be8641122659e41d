"""The one list of what lives on ``engine.state`` of the trainer: its type, its writer and when it is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import torch
from ignite.engine import Engine
from ignite.engine.events import State
from torch import Tensor

from cgl_ignite.selection import Selected

__all__ = ["Scores", "StudentLosses", "TrainerState", "TrainingLosses", "state_of"]


@dataclass(frozen=True)
class StudentLosses:
    """Losses of one iteration on the device, each (K,), and the number of samples each student read."""

    ce: Tensor
    kl: Tensor
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class TrainingLosses:
    """Mean losses of an epoch, one value per student."""

    ce: list[float]
    kl: list[float]


@dataclass(frozen=True)
class Scores:
    """All students on one split: accuracy in percent, cross-entropy in nats, and how much they differ.

    Attributes:
        more: further metrics, such as one value per student.
        per_class: metrics of each class, (K, C) each.
        predicted: the class that each student gives each sample, (K, N), on the CPU.
        targets: the classes that are right, (N,).
        label_sets: where rows have several labels, ``predicted`` and ``targets`` are numbers of sets of labels, and
            this tells which labels are in each, bool (sets, C).
    """

    accuracy: list[float]
    cross_entropy: list[float]
    diversity: float | None
    pairwise: list[list[float]]
    more: dict[str, object]
    per_class: dict[str, list[list[float]]] = field(default_factory=dict)
    predicted: Tensor = field(default_factory=lambda: torch.zeros(0, 0, dtype=torch.int16), compare=False, repr=False)
    targets: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int16), compare=False, repr=False)
    label_sets: Tensor | None = field(default=None, compare=False, repr=False)


class TrainerState(State):
    """Ignite's counters, and one attribute for every fact that a handler writes.

    Attributes:
        paths: (K, L) int64; PathSampler, STARTED.
        ramp: φ(t); RampUp, EPOCH_STARTED.
        learning_rate: LearningRate, ITERATION_STARTED.
        imitated: (K, K) bool; SubgroupResampler, ITERATION_STARTED.
        output: the training step, every iteration.
        training: TrainingAverages, EPOCH_COMPLETED.
        samples_per_second: own samples of all students; TrainingAverages, EPOCH_COMPLETED.
        train_seconds: without evaluation, summed over resumes; TrainingAverages, EPOCH_COMPLETED.
        holdout: HoldoutEvaluation, EPOCH_COMPLETED.
        selected: StudentSelector, EPOCH_COMPLETED.
        peak_memory: in bytes; MetricsRecorder, EPOCH_COMPLETED.
        test: TestEvaluation, COMPLETED.
    """

    paths: Tensor
    ramp: float
    learning_rate: float
    imitated: Tensor
    output: StudentLosses  # type: ignore[assignment]
    training: TrainingLosses
    samples_per_second: float
    train_seconds: float
    holdout: Scores
    selected: Selected
    peak_memory: int
    test: Scores
    epoch: int
    iteration: int
    epoch_length: int
    max_epochs: int


def state_of(engine: Engine) -> TrainerState:
    """Read an engine's state as what the trainer's handlers make of it."""
    return cast(TrainerState, engine.state)
