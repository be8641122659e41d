"""The one list of what lives on ``engine.state`` of the trainer, with its type and its writer.

========================= ============================= ============================== =========================
attribute                 type                          written by                     at
========================= ============================= ============================== =========================
``paths``                 Tensor (K, L) int64           PathSampler                    STARTED
``ramp``                  float, φ(t)                   RampUp                         EPOCH_STARTED
``learning_rate``         float                         LearningRate                   EPOCH_STARTED
``imitated``              Tensor (K, K) bool            SubgroupResampler              ITERATION_STARTED
``output``                :class:`StudentLosses`        the training step              every iteration
``training``              :class:`TrainingLosses`       TrainingAverages               EPOCH_COMPLETED
``samples_per_second``    float                         TrainingAverages               EPOCH_COMPLETED
``train_seconds``         float                         TrainingAverages               EPOCH_COMPLETED
``holdout``               :class:`Scores`               HoldoutEvaluation              EPOCH_COMPLETED
``selected``              :class:`Selected`             StudentSelector                EPOCH_COMPLETED
``peak_memory``           int, bytes                    Recorder                       EPOCH_COMPLETED
``test``                  :class:`Scores`               TestEvaluation                 COMPLETED
========================= ============================= ============================== =========================
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

__all__ = ["Scores", "Selected", "StudentLosses", "TrainingLosses"]


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
    """All students on one split: accuracy in percent, cross-entropy in nats, and how much they differ."""

    accuracy: list[float]
    cross_entropy: list[float]
    diversity: float | None
    pairwise: list[list[float]]
    more: dict[str, object]


@dataclass(frozen=True)
class Selected:
    """Who speaks at the end: a student (from 0) at an epoch (from 1), and its holdout accuracy in percent."""

    epoch: int
    student: int
    score: float
