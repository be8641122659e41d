"""One run: a pool is trained from a seed, and its selected student handed over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from ignite.engine import Engine

from cgl_ignite.engine.trainer import Handler, train
from cgl_ignite.errors import InputError
from cgl_ignite.handlers.checkpoint import Checkpointer
from cgl_ignite.handlers.contents import read_run_checkpoint
from cgl_ignite.handlers.evaluation import TestEvaluation
from cgl_ignite.handlers.interruption import Interruption
from cgl_ignite.handlers.recording import MetricsRecorder, TestRecorder
from cgl_ignite.handlers.state import TrainerState, state_of
from cgl_ignite.handlers.watching import Watcher
from cgl_ignite.pipeline.active import ActiveRun, RunContext, begin
from cgl_ignite.pipeline.artifacts import keep_routing
from cgl_ignite.pipeline.assemble import Parts, assemble, routes_of
from cgl_ignite.pipeline.distil import distilling, next_stage, refuse_unfit_teacher
from cgl_ignite.pipeline.folder import RunFolder
from cgl_ignite.pipeline.hand_over import hand_over
from cgl_ignite.pipeline.record import recorded
from cgl_ignite.pipeline.result import RunResult
from cgl_ignite.pipeline.stage import Learning, gathering_of, saving, stage_trainer
from cgl_ignite.pipeline.teachers import identify_teachers
from cgl_ignite.pool.settling import unsettled
from cgl_ignite.pretrained import identify_weights
from cgl_ignite.seeding import stream
from cgl_ignite.tracking import SystemMetrics, is_settled

__all__ = ["run_seed"]

_AT_CHANCE = (
    "on the holdout or the test set the selected student is no better than always answering the most frequent class"
    " ({result.holdout_accuracy:.2f} % on the holdout, of which that class has {result.chance_accuracy:.2f} %);"
    " try another optim.learning_rate (now {pipeline.optim.learning_rate:g})"
    " or more run.epochs (now {pipeline.run.epochs})"
)


def run_seed(context: RunContext, seed: int, again: RunFolder | None) -> RunResult:
    """Train one pool, or go on with it, and hand over its student; ``again`` is locked by the caller."""
    pipeline, screen = context.pipeline, context.screen
    interruption = Interruption(context.peers)
    checkpoint = read_run_checkpoint(again.checkpoint) if again else None
    if again and checkpoint:
        files = {"teachers": identify_teachers(pipeline), "weights": identify_weights(pipeline.backbone)}
        for what, now in files.items():
            _refuse_changed(what, checkpoint["facts"].get(what, {}), now, again.run_id)
    parts = _assemble(context, seed, interruption, again)
    if checkpoint and not pipeline.run.batches_per_chunk and not distilling(checkpoint) and not parts.ordered:
        parts = replace(parts, batches_per_chunk=checkpoint["facts"]["batches_per_chunk"])
    refuse_unfit_teacher(pipeline, parts.splits)
    report = context.data.report(seed)
    with interruption.listening(), recorded(context, seed, again, checkpoint, report) as (journal, folder):
        if screen:
            screen.data(report)
            for line in parts.beginning.lines(parts.splits.spec) if parts.beginning else ():
                screen.note(line)
        state, stage = None, begin(context, pipeline, seed, parts, journal, folder, checkpoint)
        del parts  # its optimizer is not needed in a second stage
        if not distilling(checkpoint):
            state, checkpoint = _train(stage, checkpoint, interruption), None
        if pipeline.distil is not None:
            stage = next_stage(stage, checkpoint, interruption)
            state = _train(stage, checkpoint, interruption)
        assert state is not None
        result = hand_over(stage, state)
    result = replace(result, tracked=is_settled(folder.path))
    if screen:
        screen.finish(result, result.model)
    if result.at_chance:
        context.warn(_AT_CHANCE.format(result=result, pipeline=pipeline))
    return result


def _assemble(context: RunContext, seed: int, interruption: Interruption, again: RunFolder | None) -> Parts:
    """Build the parts of a run; other processes that train it get the checkpoint that it goes on from."""
    pipeline, peers = context.pipeline, context.peers
    build = partial(assemble, pipeline, context.data, seed, context.device, interruption, peers=peers)
    if peers is None:
        return build()
    peers.from_first(again.checkpoint.read_bytes() if again else None)
    return peers.in_step(build)


def _refuse_changed(what: str, before: Mapping[str, str], now: Mapping[str, str], run: str) -> None:
    """Make sure that the files of the teachers, or of the weights, are those with which a run began."""
    if changed := [name for name, digest in now.items() if before.get(name) != digest]:
        raise InputError(
            f"the file of the {what} {changed[0]!r} has changed since run {run} began; restore it, or leave out"
            " --resume to begin anew"
        )


def _train(run: ActiveRun, checkpoint: dict[str, Any] | None, interruption: Interruption) -> TrainerState:
    """Train a stage of a run to its end, from where it stands."""
    every, parts = run.pipeline.run.checkpoint_every, run.parts
    gathering = gathering_of(parts, run.averages)
    checkpointer = Checkpointer(run.folder.path, parts.trained, run.averages, run.selector, every, run.facts, gathering)
    trainer = _trainer(run, checkpointer, interruption)
    if checkpoint:
        checkpointer.resume(trainer, checkpoint)
    elif run.before.epochs:
        done, length = run.before.epochs, parts.batches.epoch_length
        epochs = run.pipeline.run.epochs
        trainer.load_state_dict({"iteration": done * length, "epoch_length": length, "max_epochs": epochs})
    if run.context.screen:
        run.context.screen.start(run.summary)
    _warn_of_statistics(run)
    with saving(checkpointer, trainer):
        train(trainer, parts.batches, run.pipeline.run.epochs, run.selector)
    return state_of(trainer)


def _warn_of_statistics(run: ActiveRun) -> None:
    """Tell of running statistics that begin at random and stay near that, as the training is too short for them."""
    pipeline, parts, groups = run.pipeline, run.parts, run.parts.subsets.group_of
    if parts.beginning is not None or run.initial:
        return
    routes = routes_of(pipeline, parts.routing.sample(stream(run.seed, "paths")).tolist(), groups, parts.costs)
    iterations = (pipeline.run.epochs - run.before.epochs) * parts.batches.epoch_length
    if found := unsettled(parts.costs, routes, groups, iterations):
        run.context.warn(str(found))


def _trainer(run: ActiveRun, checkpointer: Checkpointer, interruption: Interruption) -> Engine:
    """Attach the handlers of the training, and those that keep its record."""
    context, parts = run.context, run.parts
    last: list[Handler] = []
    if run.pipeline.distil is None:
        last = [TestEvaluation(parts.evaluate_test, run.selector), TestRecorder(run.journal)]
    system = SystemMetrics(cuda=context.device.type == "cuda")
    for note in system.notes:
        context.warn(note)
    before = run.before.epochs
    return stage_trainer(
        Learning(run.pipeline, run.seed, parts, run.averages, run.selector, checkpointer, before, run.initial),
        publish=[] if before else [partial(keep_routing, journal=run.journal)],
        record=[MetricsRecorder(run.journal, system, context.device)],
        last=[*([Watcher(context.screen)] if context.screen else []), interruption, *last],
    )
