"""Whether the selected student of each run is right as often as it says, on the test part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from cgl_ignite.analyses.base import Finding, mean_and_deviation, numbered
from cgl_ignite.analyses.subjects import Subject, by_method, measured
from cgl_ignite.analysis.calibration import BINS, Reliability, calibration_figure, reliability
from cgl_ignite.metrics.scores import accuracy, cross_entropy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["examine"]

COLUMNS = ("method", "seeds", "accuracy %", "mean confidence %", "too sure by", "calibration error", "cross-entropy")


def examine(subjects: Sequence[Subject]) -> Finding:
    """Measure the expected calibration error of the selected students."""
    answers = measured(subjects, "calibration", _answers)
    single = {subject: reliability(*answers[subject]) for subject in subjects}
    groups = by_method(subjects)

    def figures() -> Mapping[str, Figure]:
        pooled = {name: _pooled([answers[subject] for subject in runs]) for name, runs in groups.items()}
        errors = {name: fmean(single[subject].error for subject in runs) for name, runs in groups.items()}
        return {"calibration": calibration_figure(pooled, errors)}

    values = {subject: _values(single[subject], *answers[subject]) for subject in subjects}
    return Finding(
        title="Calibration of the selected student",
        columns=COLUMNS,
        rows=[_row(name, [values[subject] for subject in runs]) for name, runs in groups.items()],
        notes=(
            f"calibration error: expected calibration error in percentage points, {BINS} bins of equal width; "
            "too sure by: mean confidence minus accuracy",
        ),
        values={"runs": [{**one.named, **values[one]} for one in subjects]},
        figures=figures,
    )


def _answers(subject: Subject) -> tuple[Tensor, Tensor]:
    logits, targets = subject.logits(subject.pool(), subject.splits.test())
    return logits[subject.selected].clone(), targets


def _pooled(answers: Sequence[tuple[Tensor, Tensor]]) -> Reliability:
    logits, targets = zip(*answers, strict=True)
    return reliability(torch.cat(logits), torch.cat(targets))


def _values(found: Reliability, logits: Tensor, targets: Tensor) -> dict[str, Any]:
    return {
        "n": len(targets),
        "accuracy": accuracy(logits[None], targets).double().mean().item(),
        "mean_confidence": found.mean_confidence,
        "overconfidence": found.overconfidence,
        "calibration_error": found.error,
        "cross_entropy": cross_entropy(logits[None].double(), targets).mean().item(),
        "bins": [
            {"rows": int(rows), "confidence": numbered(confidence), "accuracy": numbered(accuracy)}
            for rows, confidence, accuracy in zip(found.rows, found.confidence, found.accuracy, strict=True)
        ],
    }


def _row(name: str, runs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    forms = {
        "accuracy": "{:.2f}",
        "mean_confidence": "{:.2f}",
        "overconfidence": "{:+.2f}",
        "calibration_error": "{:.2f}",
        "cross_entropy": "{:.4f}",
    }
    cells = (mean_and_deviation([run[key] for run in runs], form) for key, form in forms.items())
    return name, str(len(runs)), *cells
