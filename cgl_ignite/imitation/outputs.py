"""What the weights of imitation may depend on: who imitates whom, and what the students make of a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cgl_ignite.pool import Plan, PoolOutput, padded

__all__ = ["ForwardOutputs", "View"]


@dataclass(frozen=True)
class View:
    """What a learned aggregation can see of a backbone.

    Attributes:
        to_vector: turns a layer's output into one vector per sample, (B, ...) to (B, C).
        trunk: length of that vector at the end of the trunk; None where students share no first layer.
        features: its length before the classifier.
    """

    to_vector: Callable[[Tensor], Tensor]
    trunk: int | None
    features: int


@dataclass(frozen=True, eq=False)
class ForwardOutputs:
    """One planned forward pass as its learners see it.

    Attributes:
        plan: that was run.
        output: what it left.
        learners: the S students that learn.
        batches: for each learner, the position of its batch.
        imitated: (S, K) bool; ``[s, j]`` = learner s imitates student j.
        members: (S, K, U), which output node is which imitated student, 0 or 1.
        others: logits of further output nodes, which other passes have computed; there is nothing but logits of them.
    """

    plan: Plan
    output: PoolOutput
    learners: Sequence[int]
    batches: Sequence[int]
    imitated: Tensor
    members: Tensor
    others: Sequence[Tensor] = ()

    def spread(self, weights: Tensor) -> Tensor:
        """Turn weights of students into weights of output nodes. Shape: (S, K, ...) to (S, U, ...)."""
        return torch.einsum("sk...,sku->su...", weights, self.members.to(weights))

    @property
    def logits(self) -> list[Tensor]:
        """The logits of every output node."""
        return [*self.output.logits, *self.others]

    @property
    def own(self) -> list[int]:
        """The output node of each learner on its own batch."""
        return [self.plan.outputs[place] for place in zip(self.learners, self.batches, strict=True)]

    def everyone(self, to_vector: Callable[[Tensor], Tensor]) -> Tensor:
        """Return what the classifier of each output node reads, (U, B, C)."""
        return padded([to_vector(self.output.features(node)) for node in range(self.plan.nodes)])
