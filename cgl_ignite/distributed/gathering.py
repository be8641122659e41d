"""What one process keeps for all: the running statistics and losses of its students, brought together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b

import torch
from torch import Tensor

from cgl_ignite.distributed.peers import Peers
from cgl_ignite.distributed.portions import owner
from cgl_ignite.errors import RunFailed
from cgl_ignite.pool import ModularNetwork
from cgl_ignite.pool.normalisation import StudentBatchNorm

__all__ = ["compare_weights", "gather_rows", "statistics_rows"]

Owned = tuple[Tensor, int]
"""Values, and the process that has computed them."""


def gather_rows(peers: Peers, rows: Sequence[Owned]) -> None:
    """Overwrite values with those of the process that they belong to, bit for bit."""
    for kind in dict.fromkeys(values.dtype for values, _ in rows):
        for rank in range(peers.size):
            mine = [values for values, process in rows if process == rank and values.dtype == kind]
            if not mine:
                continue
            flat = torch.cat([values.reshape(-1) for values in mine])
            peers.broadcast(flat, rank)
            for values, given in zip(mine, flat.split([each.numel() for each in mine]), strict=True):
                values.copy_(given.view(values.shape))


def statistics_rows(
    pool: ModularNetwork, state: Mapping[str, Tensor], portion_of: Sequence[int], processes: int
) -> Iterator[Owned]:
    """Yield the running statistics of all students, named as in the state of their pool, with who has moved them.

    A row that several students share is moved by the first of them (:attr:`cgl_ignite.pool.plan.RouteTable.apart`).
    """
    for name, part in pool.named_modules():
        if not isinstance(part, StudentBatchNorm):
            continue
        layer = int(name.split(".")[1])
        routes = pool.routes.apart
        moved = {
            row[layer]: portion
            for row, moves, portion in zip(routes.slots, routes.moves, portion_of, strict=True)
            if moves[layer]
        }
        for buffer in ("running_mean", "running_var"):
            values = state[f"{name}.{buffer}"]
            for slot, portion in moved.items():
                yield values[slot], owner(portion, processes)


def compare_weights(peers: Peers, state: Mapping[str, Tensor], iteration: int) -> None:
    """Make sure that all processes have the same weights.

    Raises:
        RunFailed: they have not, as on different devices.
    """
    digest = blake2b(digest_size=16)
    for values in state.values():
        digest.update(values.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    if len(set(peers.all_of(digest.hexdigest()))) > 1:
        raise RunFailed(
            f"the processes have different weights after iteration {iteration}; they must run on devices of one kind,"
            " with equally many threads and the same version of PyTorch"
        )
