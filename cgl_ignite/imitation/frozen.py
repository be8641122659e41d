"""Frozen teachers: members of every sub-group that are imitated and never trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

__all__ = ["FrozenTeachers", "with_frozen"]

FrozenTeachers: TypeAlias = Callable[[Tensor], Tensor]
"""From the inputs of a batch, as the students read them, to the logits of F teachers without gradient, (F, B, C)."""


def with_frozen(
    weights: Tensor, logits: Tensor, imitated: Tensor, frozen: Sequence[Tensor], reads: Sequence[int]
) -> tuple[Tensor, Tensor]:
    r"""Add frozen teachers to the imitated students: with n students and F teachers each of these counts alike.

    .. math:: w'_{ku} = \frac{n_k}{n_k + F} \, w_{ku}, \qquad w'_{kf} = \frac{1}{n_k + F}

    Args:
        weights: of U output nodes for S learners, (S, U) or (S, U, B).
        logits: of these nodes, (U, B, C).
        imitated: (S, K) bool, whom each learner imitates.
        frozen: logits of the teachers on each of G batches, (F, B, C) each, padded to B rows.
        reads: for each learner, which of the G batches is its own.

    Returns:
        Weights (S, U + F G) or (S, U + F G, B), and logits (U + F G, B, C).
    """
    teachers = len(frozen[0])
    count = imitated.sum(dim=1, keepdim=True).to(weights)
    batches = torch.eye(len(frozen), dtype=weights.dtype, device=weights.device)
    own = torch.stack([batches[read] for read in reads])
    added = own.repeat_interleave(teachers, dim=1) / (count + teachers)
    share = count / (count + teachers)
    if weights.dim() == 3:
        share, added = share.unsqueeze(2), added.unsqueeze(2).expand(-1, -1, weights.shape[2])
    return torch.cat([weights * share, added], dim=1), torch.cat([logits, *frozen])
