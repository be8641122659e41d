"""The share that a process has of a run, if ``torchrun`` has started several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch.optim import Optimizer

from cgl_ignite.config.schema import Pipeline
from cgl_ignite.data import Batch
from cgl_ignite.distributed.limits import reduction_of, refuse_undivided
from cgl_ignite.errors import InputError
from cgl_ignite.pool import ModularNetwork

if TYPE_CHECKING:
    from cgl_ignite.distributed.division import Division
    from cgl_ignite.distributed.peers import Peers

__all__ = ["adds_in_order", "divide", "divide_rows"]


def adds_in_order(pipeline: Pipeline, device: torch.device, peers: Peers | None) -> bool:
    """Tell whether the gradients of each portion are kept apart, which then goes through the pool by itself.

    Raises:
        InputError: ``run.batches_per_chunk`` asks for something else.
    """
    processes = 1 if peers is None else peers.size
    if reduction_of(pipeline, device.type, processes) != "ordered":
        return False
    if pipeline.run.batches_per_chunk not in (None, 1):
        message = "gradients that are added in the order of the students need 1; leave it out, or take reduce = 'fast'"
        raise InputError(message, key="run.batches_per_chunk")
    return True


def divide(
    pipeline: Pipeline,
    peers: Peers | None,
    optimizer: Optimizer,
    portion_of: Sequence[int],
    group_of: Sequence[int],
    classes: int,
    *,
    ordered: bool,
) -> Division | None:
    """Return the share of this process of every iteration, if there are several.

    Args:
        pipeline: what is run.
        peers: the processes of the run, if there are several.
        optimizer: over all parameters.
        portion_of: for each student, its portion (:func:`cgl_ignite.distributed.limits.portions_of`).
        group_of: for each student, the data group it learns from.
        classes: how many logits a sample has.
        ordered: whether gradients are added in the order of portions.

    Raises:
        InputError: the pipeline cannot be divided among so many processes.
    """
    if peers is None:
        return None
    from cgl_ignite.distributed.division import Division, Fast, Ordered

    refuse_undivided(pipeline, len(set(portion_of)), peers.size)
    reduction = Ordered(peers) if ordered else Fast(peers)
    return Division(peers, optimizer, reduction, portion_of, group_of, classes)


def divide_rows(
    pool: ModularNetwork, peers: Peers, device: torch.device
) -> Callable[[Iterator[Batch]], Iterator[Batch]]:
    """Return what divides the batches of an evaluation among the processes."""
    from cgl_ignite.engine.divided import divided_logits
    from cgl_ignite.engine.evaluate import pool_logits

    return partial(divided_logits, peers=peers, compute=partial(pool_logits, pool), device=device)
