"""What the other processes of a run do while the first one keeps its record: the same training, nothing written."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from cgl_ignite.catalogue import try_weights
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.distributed.limits import refuse_undivided
from cgl_ignite.engine.trainer import train
from cgl_ignite.handlers.averages import TrainingAverages
from cgl_ignite.handlers.checkpoint import Checkpointer
from cgl_ignite.handlers.contents import read_run_checkpoint
from cgl_ignite.handlers.evaluation import TestEvaluation
from cgl_ignite.handlers.interruption import Interruption, terminable
from cgl_ignite.pipeline.assemble import assemble
from cgl_ignite.pipeline.data import RunData, read_data
from cgl_ignite.pipeline.device import cpu_threads, find_device
from cgl_ignite.pipeline.stage import Learning, gathering_of, saving, selector_of, stage_trainer
from cgl_ignite.pipeline.teachers import identify_files

if TYPE_CHECKING:
    from cgl_ignite.distributed.peers import Peers

__all__ = ["follow", "meet", "prepare"]


def meet(pipeline: Pipeline, peers: Peers) -> None:
    """Make sure that the processes have met for the same run, and that it can be divided among them.

    Raises:
        InputError: they have not, or it cannot.
    """
    from cgl_ignite.distributed.meeting import refuse_other_pipeline

    refuse_other_pipeline(peers, pipeline)
    peers.in_step(lambda: refuse_undivided(pipeline, pipeline.method.students, peers.size))


def prepare(
    pipeline: Pipeline,
    seeds: Sequence[int],
    device: torch.device,
    peers: Peers | None,
    read: Callable[[Pipeline], RunData] = read_data,
) -> tuple[Sequence[int], RunData | None]:
    """Fetch the weights that a pool begins with, and read its data, unless no seed is left.

    Of several processes, the first one names the seeds; one of each machine fetches and encodes before the others.

    Returns:
        The seeds that are left, and the data.

    Raises:
        InputError: weights or data cannot be read, or processes have read different data, weights or teachers.
    """
    if peers is None:
        if seeds:
            try_weights(pipeline, fetch=True)
        return seeds, read(pipeline) if seeds else None
    from cgl_ignite.distributed.meeting import refuse_other_data

    if not (seeds := peers.from_first(list(seeds))):
        return seeds, None
    peers.use(device)
    peers.in_turn(lambda: try_weights(pipeline, fetch=True))
    data = peers.in_turn(lambda: read(pipeline))
    refuse_other_data(peers, {**data.identity, **(identify_files(pipeline) or {})})
    return seeds, data


def follow(pipeline: Pipeline, peers: Peers) -> None:
    """Train the seeds that the first process names, beside it.

    Raises:
        InputError: something that the user gave is wrong.
        RunFailed: the training failed, here or in another process.
        Interrupted: all processes stop.
    """
    device = find_device(pipeline.run.device)
    seeds, data = prepare(pipeline, (), device, peers)
    if data is None:
        return
    with terminable(), cpu_threads(pipeline.run.threads):
        for seed in seeds:
            _follow_seed(pipeline, data, seed, device, peers)


def _follow_seed(pipeline: Pipeline, data: RunData, seed: int, device: torch.device, peers: Peers) -> None:
    """Train one pool beside the first process, from the same state."""
    checkpoint = _received(peers)
    interruption = Interruption(peers)
    parts = peers.in_step(lambda: assemble(pipeline, data, seed, device, interruption, peers=peers))
    if checkpoint and not pipeline.run.batches_per_chunk and not parts.ordered:
        parts = replace(parts, batches_per_chunk=checkpoint["facts"]["batches_per_chunk"])
    averages = TrainingAverages(pipeline.method.students, device)
    selector = selector_of(pipeline, parts, seed)
    gathering = gathering_of(parts, averages)
    nowhere, every = Path(f"process-{peers.rank}"), pipeline.run.checkpoint_every
    checkpointer = Checkpointer(nowhere, parts.trained, averages, selector, every, {}, gathering)
    trainer = stage_trainer(
        Learning(pipeline, seed, parts, averages, selector, checkpointer),
        last=[interruption, TestEvaluation(parts.evaluate_test, selector)],
    )
    if checkpoint:
        checkpointer.resume(trainer, checkpoint)
    with interruption.listening(), saving(checkpointer, trainer):
        train(trainer, parts.batches, pipeline.run.epochs, selector)


def _received(peers: Peers) -> dict[str, Any] | None:
    """Read the checkpoint that the first process goes on from."""
    content: bytes | None = peers.from_first()
    if content is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "checkpoint.pt")
        path.write_bytes(content)
        return read_run_checkpoint(path)
