"""Which process works on which portion: what is never divided, one student or all students of a data group."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["crossing", "owner"]


def owner(portion: int, processes: int) -> int:
    """Return the process that works on a portion, the same in every iteration.

    Example:
        >>> [owner(portion, 3) for portion in range(5)]
        [0, 1, 2, 0, 1]
    """
    return portion % processes


def crossing(portion_of: Sequence[int], group_of: Sequence[int], processes: int) -> Tensor:
    """Tell which students read the same batch in different processes, (K, K) bool.

    Args:
        portion_of: for each student, its portion.
        group_of: for each student, the data group it learns from.
        processes: how many there are.

    Example:
        >>> crossing([0, 1, 2], [0, 0, 0], 2).int().tolist()
        [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
    """
    group, process = torch.tensor(group_of), torch.tensor([owner(portion, processes) for portion in portion_of])
    return (group[:, None] == group) & (process[:, None] != process)
