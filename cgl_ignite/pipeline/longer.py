"""``--resume`` without a run of these settings: go on with a shorter training, or say what is different now."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import torch

from cgl_ignite.config.dump import differences, fingerprint, toml_value, values
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.errors import InputError
from cgl_ignite.handlers.contents import read_run_checkpoint
from cgl_ignite.handlers.ramp import RampUp
from cgl_ignite.pipeline.active import RunContext
from cgl_ignite.pipeline.artifacts import DATA_FILES, keep_setting
from cgl_ignite.pipeline.describe import run_info
from cgl_ignite.pipeline.distil import distilling
from cgl_ignite.pipeline.find import all_runs
from cgl_ignite.pipeline.folder import RunFolder, start_run_folder
from cgl_ignite.schedules import SCHEDULES
from cgl_ignite.tracking import Journal
from cgl_ignite.tracking.files import read_rows, write_atomically, write_rows

__all__ = ["first_difference", "longer_run"]

SHOWN = 3
"""How many differences are named."""


@dataclass(frozen=True)
class _Other:
    """A run of the same name and seed with other settings."""

    folder: RunFolder
    differs: dict[str, tuple[Any, Any]]

    @property
    def epochs(self) -> int | None:
        """The epochs of a run that is shorter and differs in nothing else."""
        there, here = self.differs.get("run.epochs", (0, 0))
        return there if len(self.differs) == 1 and there < here else None


def longer_run(context: RunContext, seed: int, held: ExitStack) -> RunFolder | None:
    """Start a run from the checkpoint of a shorter training, if the schedule had the same values so far.

    The new run gets the rows and the checkpoint of the shorter one, which stays as it is; it ends as one that was so
    long from the start. If there is nothing to go on with, a note says why, and None is returned.
    """
    others = list(_others(context, seed))
    shorter = next((other for other in others if other.epochs), None)
    if shorter is None or shorter.epochs is None:
        unfinished = next((other for other in others if not other.folder.complete), None)
        context.warn(_explained(context, seed, unfinished))
        return None
    checkpoint = read_run_checkpoint(shorter.folder.checkpoint)
    trainer, done = checkpoint["trainer"], checkpoint["selector"]["judged"]
    begun = -(-trainer["iteration"] // trainer["epoch_length"])
    reason = first_difference(context.pipeline, shorter.epochs, begun)
    run = f"run {shorter.folder.run_id[:8]} of {shorter.epochs} epochs"
    if distilling(checkpoint):
        reason = "its pool is trained, and its distillation has begun"
    if reason is not None:
        context.warn(f"{run} cannot go on: {reason}; a new run begins")
        return None
    context.warn(f"{run} goes on after epoch {done}, as a new run")
    return _started(context, seed, shorter.folder, checkpoint, held)


def _explained(context: RunContext, seed: int, unfinished: _Other | None) -> str:
    """Say why a new run begins."""
    if unfinished is None:
        return f"no unfinished run of {context.pipeline.name} with seed {seed}: a new run begins"
    differs = unfinished.differs.items()
    named = [f"{key} ({_told(there)} there, {_told(here)} here)" for key, (there, here) in differs]
    more = f" and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
    text = f"run {unfinished.folder.run_id[:8]} differs in {', '.join(named[:SHOWN])}{more}"
    return f"no unfinished run with these settings; {text}: a new run begins"


def first_difference(pipeline: Pipeline, epochs: int, begun: int) -> str | None:
    """Say where a training of that many epochs had other values than this longer one, in the epochs begun so far."""
    longer = pipeline.run.epochs
    for epoch in range(1, begun + 1):
        pairs = zip(_scheduled(pipeline, epochs, epoch), _scheduled(pipeline, longer, epoch), strict=True)
        for (what, before), (_, now) in pairs:
            if before != now:
                return f"the {what} of epoch {epoch} was {before:g}, in {longer} epochs it is {now:g}"
    return None


def _scheduled(pipeline: Pipeline, epochs: int, epoch: int) -> Iterator[tuple[str, float]]:
    """Yield the learning rates at the start and half-way of an epoch, and its ramp, in a training of ``epochs``."""
    optim = pipeline.optim
    schedule = SCHEDULES.build(optim.schedule, epochs)
    for done in (epoch - 1, epoch - 0.5):
        yield "learning rate", optim.learning_rate * schedule(done)
    yield "weight of imitation", RampUp(pipeline.method.ramp, epochs).at(epoch)


def _others(context: RunContext, seed: int) -> Iterator[_Other]:
    """Yield earlier runs of this name, seed and data that have a checkpoint and no comparison, newest first."""
    for run in all_runs(context.runs):
        same = (run.facts.get("name"), run.facts["seed"]) == (context.pipeline.name, seed)
        if same and "comparison" not in run.facts and run.checkpoint.exists() and run.has_read(context.data.identity):
            try:
                differs = differences(run.read_setting(), context.pipeline)
            except InputError:
                continue
            yield _Other(run, differs)


def _started(
    context: RunContext, seed: int, shorter: RunFolder, checkpoint: dict[str, Any], held: ExitStack
) -> RunFolder:
    """Make the folder of a run that stands where the shorter one stood."""
    pipeline = context.pipeline
    info = run_info(pipeline, seed, context.group, context.facts)
    info = replace(info, tags={**info.tags, "cgl.continued_from": shorter.run_id})
    journal = Journal.create(context.runs, context.tracker, info, context.warn)
    keep_setting(pipeline, journal)
    rows = read_rows(shorter.path / "metrics.jsonl")
    judged = checkpoint["selector"]["judged"]
    write_rows(journal.folder / "metrics.jsonl", [row for row in rows if not row.final and row.epoch <= judged])
    facts = {"run_id": journal.run_id, "pipeline": values(pipeline), "fingerprint": fingerprint(pipeline)}
    checkpoint["facts"] = {**checkpoint["facts"], **facts}
    checkpoint["trainer"] = {**checkpoint["trainer"], "max_epochs": pipeline.run.epochs}
    written = io.BytesIO()
    torch.save(checkpoint, written)
    write_atomically(journal.folder / "checkpoint.pt", written.getvalue())
    for name in DATA_FILES:
        if (kept := shorter.path / "artifacts" / name).exists():
            journal.content(name, kept.read_bytes())
    folder = start_run_folder(journal.folder, pipeline, seed, **context.facts, continued_from=shorter.run_id)
    return held.enter_context(folder.note(status="KILLED").locked())


def _told(value: Any) -> str:
    return "not set" if value is None else toml_value(value)
