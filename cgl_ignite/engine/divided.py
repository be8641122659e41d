"""The rows of an evaluation, divided among processes: each computes every N-th batch, and gets the others' logits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice

import torch
from torch import Tensor

from cgl_ignite.data import Batch
from cgl_ignite.distributed.peers import Peers

__all__ = ["divided_logits"]

KINDS = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


def divided_logits(
    batches: Iterator[Batch], peers: Peers, compute: Callable[[Tensor], Tensor], device: torch.device
) -> Iterator[Batch]:
    """Yield all batches in order, with the logits of all students, (K, B, C), in the place of their inputs.

    Args:
        batches: of an evaluation, the same in all processes.
        peers: the processes.
        compute: turns inputs into logits.
        device: where the logits are.

    Raises:
        PeerFailed: another process has failed.
        PeerLost: another process has ended.
    """
    while several := list(islice(batches, peers.size)):
        own: Tensor | None = None
        with peers.computing():
            own = compute(several[peers.rank].inputs) if peers.rank < len(several) else None
        shape = [0, 0, 0] if own is None else [own.shape[0], own.shape[2], KINDS.index(own.dtype)]
        students, classes, kind = peers.agree(shape).tolist()
        for rank, batch in enumerate(several):
            logits = (
                own.contiguous()
                if own is not None and rank == peers.rank
                else torch.empty(students, len(batch.targets), classes, dtype=KINDS[kind], device=device)
            )
            peers.broadcast(logits, rank)
            yield replace(batch, inputs=logits)
