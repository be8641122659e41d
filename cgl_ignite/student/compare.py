"""What was made of a student against the student itself."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from cgl_ignite.student.card import Card
from cgl_ignite.student.network import example_inputs
from cgl_ignite.student.program import reads_shorter

__all__ = ["TOLERANCE", "Difference", "compare"]

TOLERANCE = 1e-3
"""How large a difference may be, in units of the largest logit."""


@dataclass(frozen=True)
class Difference:
    """The largest difference between two logits, and the largest logit, over some inputs."""

    largest: float
    logit: float

    @property
    def accepted(self) -> bool:
        """Whether the difference is within the tolerance; it is not if it is no number."""
        return self.largest <= TOLERANCE * self.logit


def compare(student: nn.Module, program: nn.Module, card: Card) -> Difference:
    """Run both on batches of one to three inputs and, where texts may be shorter, of half the length.

    Both are on the CPU.
    """
    example = torch.from_numpy(example_inputs(card))
    batches = [example[[0, 1, 0][:rows]] for rows in (1, 2, 3)]
    if reads_shorter(student, card):
        batches += [inputs[:, : -(-inputs.shape[1] // 2)] for inputs in batches]
    with torch.inference_mode():
        expected = torch.cat([student(inputs) for inputs in batches])
        found = torch.cat([program(inputs) for inputs in batches])
    return Difference(float((found - expected).abs().max()), float(expected.abs().max()))
