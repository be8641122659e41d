"""One run: a pool is trained from a seed, and its selected student handed over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from ignite.engine import Engine

from cgl_ignite.engine.trainer import Handler, build_trainer, train
from cgl_ignite.errors import Interrupted
from cgl_ignite.handlers.averages import TrainingAverages
from cgl_ignite.handlers.checkpoint import Checkpointer, read_checkpoint
from cgl_ignite.handlers.evaluation import HoldoutEvaluation, TestEvaluation
from cgl_ignite.handlers.interruption import Interruption
from cgl_ignite.handlers.paths import PathSampler
from cgl_ignite.handlers.ramp import RampUp
from cgl_ignite.handlers.recording import MetricsRecorder, TestRecorder
from cgl_ignite.handlers.schedule import LearningRate
from cgl_ignite.handlers.selection import StudentSelector
from cgl_ignite.handlers.state import state_of
from cgl_ignite.handlers.subgroups import SubgroupResampler
from cgl_ignite.handlers.watching import Watcher
from cgl_ignite.pipeline.active import ActiveRun, RunContext
from cgl_ignite.pipeline.artifacts import keep_routing
from cgl_ignite.pipeline.assemble import Parts, assemble, build_step
from cgl_ignite.pipeline.folder import RunFolder
from cgl_ignite.pipeline.hand_over import hand_over
from cgl_ignite.pipeline.record import recorded
from cgl_ignite.pipeline.result import RunResult
from cgl_ignite.schedules import SCHEDULES
from cgl_ignite.selection import SELECTIONS
from cgl_ignite.tracking import Journal, SystemMetrics

__all__ = ["run_seed"]

_AT_CHANCE = (
    "the selected student is no better than always answering the most frequent class"
    " ({result.holdout_accuracy:.2f} % on the holdout, of which that class has {result.chance_accuracy:.2f} %,"
    " and {result.test_accuracy:.2f} % on the test set);"
    " try another optim.learning_rate (now {pipeline.optim.learning_rate:g})"
    " or more run.epochs (now {pipeline.run.epochs})"
)


def run_seed(context: RunContext, seed: int, again: RunFolder | None) -> RunResult:
    """Train one pool, or go on with it, and hand over its student; ``again`` is locked by the caller."""
    pipeline, screen = context.pipeline, context.screen
    interruption = Interruption()
    checkpoint = read_checkpoint(again.checkpoint) if again else None
    parts = assemble(pipeline, context.data, seed, context.device, interruption)
    if checkpoint and not pipeline.run.batches_per_chunk:
        parts = replace(parts, batches_per_chunk=checkpoint["facts"]["batches_per_chunk"])
    report = context.data.report(seed)
    with interruption.listening(), recorded(context, seed, again, checkpoint, report) as (journal, folder):
        run = _begin(context, seed, parts, journal, folder, checkpoint)
        every = pipeline.run.checkpoint_every
        checkpointer = Checkpointer(folder.path, parts.trained, run.averages, run.selector, every, run.facts)
        trainer = _trainer(run, checkpointer, interruption)
        if checkpoint:
            checkpointer.resume(trainer, checkpoint)
        if screen:
            screen.data(report)
            screen.start(run.summary)
        with _saving(checkpointer, trainer):
            train(trainer, parts.batches, pipeline.run.epochs, run.selector)
        result = hand_over(run, state_of(trainer))
    if screen:
        screen.finish(result, result.model)
    if result.at_chance:
        context.warn(_AT_CHANCE.format(result=result, pipeline=pipeline))
    return result


def _begin(
    context: RunContext,
    seed: int,
    parts: Parts,
    journal: Journal,
    folder: RunFolder,
    checkpoint: dict[str, Any] | None,
) -> ActiveRun:
    method = context.pipeline.method
    averages = TrainingAverages(method.students, context.device)
    rule = SELECTIONS.build(method.selection, method.students, seed)
    selector = StudentSelector(parts.pool, rule, parts.average.pool_weights if parts.average else None)
    resumed = checkpoint["selector"]["judged"] if checkpoint else 0
    return ActiveRun(context, seed, parts, folder, journal, averages, selector, resumed)


def _trainer(run: ActiveRun, checkpointer: Checkpointer, interruption: Interruption) -> Engine:
    """Attach the handlers; their order is the story of a run."""
    context, parts, pipeline = run.context, run.parts, run.pipeline
    method, optim, epochs = pipeline.method, pipeline.optim, pipeline.run.epochs
    publish = partial(keep_routing, journal=run.journal)
    average = parts.average
    system = SystemMetrics(cuda=context.device.type == "cuda")
    for note in system.notes:
        context.warn(note)
    handlers: list[Handler] = [
        PathSampler(parts.pool, parts.routing, parts.subsets.group_of, method.statistics, run.seed, publish),
        RampUp(method.ramp, epochs),
        LearningRate(parts.optimizer, optim.learning_rate, SCHEDULES.build(optim.schedule, epochs)),
        SubgroupResampler(parts.choice, run.seed),
        run.averages,
        *([average] if average else []),
        HoldoutEvaluation(average.judged(parts.evaluate_holdout) if average else parts.evaluate_holdout),
        run.selector,
        MetricsRecorder(run.journal, system, context.device),
        checkpointer,
        *([Watcher(context.screen)] if context.screen else []),
        interruption,
        TestEvaluation(parts.evaluate_test, run.selector),
        TestRecorder(run.journal),
    ]
    return build_trainer(build_step(pipeline, parts), handlers)


@contextmanager
def _saving(checkpointer: Checkpointer, trainer: Engine) -> Iterator[None]:
    """Save the state of a training that is interrupted."""
    try:
        yield
    except Interrupted:
        checkpointer.save(trainer)
        raise
