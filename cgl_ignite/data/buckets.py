"""Rows of similar length in one batch, and yet at random."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor

__all__ = ["POOL", "by_length"]

POOL = 50
"""Iterations whose rows are shared out anew."""


def by_length(
    groups: Sequence[Tensor], sizes: Sequence[tuple[int, ...]], lengths: Tensor, generator: torch.Generator
) -> list[Tensor]:
    """Share out the rows of each pool of iterations so that all groups read similar lengths in one iteration.

    The iterations of a pool stand in a random order; in this order they take, from the sorted rows of every
    group, as many as ``sizes`` says. So which rows are read together depends on their lengths, and when they
    are read does not.

    Args:
        groups: the shuffled rows of each group.
        sizes: for each iteration, how many rows each group reads.
        lengths: of all rows.
        generator: draws the orders.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> taken = by_length([torch.arange(6)], [(2,)] * 3, torch.tensor([9, 1, 5, 2, 8, 6]), generator)
        >>> sorted(map(sorted, (rows.tolist() for rows in taken)))
        [[0, 4], [1, 3], [2, 5]]
    """
    taken: list[list[Tensor]] = [[] for _ in sizes]
    left = list(groups)
    for first in range(0, len(sizes), POOL):
        pool = range(first, min(first + POOL, len(sizes)))
        order = [pool[i] for i in torch.randperm(len(pool), generator=generator).tolist()]
        for g, rows in enumerate(left):
            ends = list(accumulate(sizes[iteration][g] for iteration in order))
            here, left[g] = rows[: ends[-1]], rows[ends[-1] :]
            here = here[lengths[here].argsort(stable=True)]
            for iteration, end in zip(order, ends, strict=True):
                taken[iteration].append(here[end - sizes[iteration][g] : end])
    return [rows for iteration in taken for rows in iteration]
