"""How right one student is on its own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cgl_ignite.data import Examples, Ragged
from cgl_ignite.data.stored import StoredImages, loaded
from cgl_ignite.errors import InputError
from cgl_ignite.tasks import SINGLE_LABEL, Task

__all__ = ["Measured", "finite", "judge", "logits", "measure", "ready"]

ROWS = 128


@dataclass(frozen=True)
class Measured:
    """Accuracy in percent and cross-entropy in nats over ``n`` samples."""

    accuracy: float
    cross_entropy: float
    n: int


def logits(student: nn.Module, inputs: Tensor | Ragged | StoredImages, device: torch.device | str = "cpu") -> Tensor:
    """Return the logits of all inputs, on the CPU; texts of about the same length are read together.

    Shape: images uint8 (N, C, H, W), token ids int64 (N, T) or N rows; result float32 (N, classes).

    Raises:
        InputError: a student with damaged weights.
    """
    order = torch.arange(len(inputs))
    if isinstance(inputs, Ragged):
        order = inputs.lengths.argsort(stable=True)
        inputs = inputs.index_select(0, order)
    with torch.inference_mode():
        parts = [student(ready(rows).to(device)).cpu() for rows in inputs.split(ROWS)]
    return finite(torch.cat(parts))[order.argsort()]


def finite(answers: Tensor) -> Tensor:
    """Return the answers of a student.

    Raises:
        InputError: one of them is NaN or infinite.
    """
    if not answers.isfinite().all():
        raise InputError("the student answers NaN or infinity: its weights are damaged")
    return answers


def ready(rows: Tensor | Ragged | StoredImages) -> Tensor:
    """Make inputs of a student of some rows: pixels from 0 to 1, or padded token ids."""
    if isinstance(rows, Ragged):
        return rows.padded()
    rows = loaded(rows)
    return rows.float() / 255 if rows.dtype is torch.uint8 else rows


def measure(
    student: nn.Module, examples: Examples, device: torch.device | str = "cpu", task: Task = SINGLE_LABEL
) -> Measured:
    """Measure a student on labelled examples."""
    return judge(logits(student, examples.inputs, device), examples.labels, task)


def judge(answers: Tensor, targets: Tensor, task: Task = SINGLE_LABEL) -> Measured:
    """Measure logits (N, classes) against targets (N,), or (N, classes) where rows have several labels."""
    given = answers.unsqueeze(0).double()
    return Measured(
        accuracy=task.scores.get("accuracy")(given, targets).double().mean().item(),
        cross_entropy=task.scores.get("cross_entropy")(given, targets).mean().item(),
        n=len(targets),
    )
