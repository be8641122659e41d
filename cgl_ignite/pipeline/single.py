"""One run: from a seed to a trained pool, its selected student and its record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine

from cgl_ignite.config.dump import fingerprint, flat, values
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.data import DataReport, DataSource, Normaliser, Splits, describe_data, dump_encoder
from cgl_ignite.display import Screen, Summary
from cgl_ignite.engine.trainer import Handler, build_trainer, train
from cgl_ignite.errors import Interrupted, RunFailed
from cgl_ignite.handlers.averages import TrainingAverages
from cgl_ignite.handlers.checkpoint import Checkpointer, read_checkpoint
from cgl_ignite.handlers.evaluation import HoldoutEvaluation, TestEvaluation
from cgl_ignite.handlers.interruption import Interruption
from cgl_ignite.handlers.paths import PathSampler
from cgl_ignite.handlers.ramp import RampUp
from cgl_ignite.handlers.recording import Recorder, TestRecorder
from cgl_ignite.handlers.schedule import LearningRate
from cgl_ignite.handlers.selection import StudentSelector
from cgl_ignite.handlers.subgroups import SubgroupResampler
from cgl_ignite.handlers.watching import Watcher
from cgl_ignite.pipeline.artifacts import count_parameters, hand_over, keep_data, keep_routing, keep_setting
from cgl_ignite.pipeline.assemble import Parts, assemble, build_step
from cgl_ignite.pipeline.folder import RunFolder, exclusive, start_run_folder
from cgl_ignite.pipeline.result import RunResult
from cgl_ignite.schedules import SCHEDULES
from cgl_ignite.selection import SELECTIONS
from cgl_ignite.tracking import Journal, RunInfo, Status, SystemMetrics, Tracker

__all__ = ["Setting", "run_info", "run_seed"]

_OUT_OF_MEMORY = (
    "out of memory; fewer batches at a time (run.batches_per_chunk = 1 changes no result), a smaller optim.batch_size"
    " or a narrower backbone need less; cgl show says how much"
)
_AT_CHANCE = (
    "the selected student is no better than always answering the most frequent class ({result.holdout_accuracy:.2f} %"
    " on the holdout, of which that class has {result.chance_accuracy:.2f} %, and {result.test_accuracy:.2f} % on the"
    " test set); try another"
    " optim.learning_rate (now {pipeline.optim.learning_rate:g}) or more run.epochs (now {pipeline.run.epochs})"
)


@dataclass(frozen=True)
class Setting:
    """What the runs of one invocation have in common; ``tags`` is noted with each of them.

    ``tags["method"]`` is what the method is called, where that is not the name of its preset. ``data`` says what
    ``source`` has read (:func:`cgl_ignite.pipeline.identity.data_of`).
    """

    pipeline: Pipeline
    source: DataSource
    data: Mapping[str, str]
    device: torch.device
    runs: Path
    tracker: Tracker
    group: str | None
    screen: Screen | None
    warn: Callable[[str], None]
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def method(self) -> str:
        """The name of the method."""
        return self.tags.get("method", self.pipeline.method.preset)


def run_seed(setting: Setting, seed: int, again: RunFolder | None) -> RunResult:
    """Train one pool, or go on with it, and hand over its student; ``again`` is locked by the caller."""
    interruption = Interruption()
    checkpoint = read_checkpoint(again.checkpoint) if again else None
    parts = assemble(setting.pipeline, setting.source, seed, setting.device, interruption)
    if checkpoint and not setting.pipeline.run.batches_per_chunk:
        parts = replace(parts, batches_per_chunk=checkpoint["facts"]["batches_per_chunk"])
    report = describe_data(parts.splits, setting.source.notes)
    with interruption.listening(), _recorded(setting, seed, again, checkpoint, report) as (journal, folder):
        averages = TrainingAverages(setting.pipeline.method.students, setting.device)
        rule = SELECTIONS.build(setting.pipeline.method.selection, setting.pipeline.method.students, seed)
        selector = StudentSelector(parts.pool, rule)
        facts = _facts(setting, seed, parts, journal.run_id)
        every = setting.pipeline.run.checkpoint_every
        checkpointer = Checkpointer(folder.path, parts.trained, averages, selector, every, facts)
        trainer = _trainer(setting, seed, parts, checkpointer, journal, interruption)
        if checkpoint:
            checkpointer.resume(trainer, checkpoint)
        if setting.screen:
            setting.screen.data(report)
            setting.screen.start(_summary(setting, seed, parts, folder, checkpoint))
        with _saving(checkpointer, trainer):
            train(trainer, parts.batches, setting.pipeline.run.epochs, selector)
        result = hand_over(setting.pipeline, parts, checkpointer, folder, journal, trainer)
    if setting.screen:
        setting.screen.finish(result, result.model)
    if result.at_chance:
        setting.warn(_AT_CHANCE.format(result=result, pipeline=setting.pipeline))
    return result


def _trainer(
    setting: Setting,
    seed: int,
    parts: Parts,
    checkpointer: Checkpointer,
    journal: Journal,
    interruption: Interruption,
) -> Engine:
    """Attach the handlers; their order is the story of a run."""
    method, optim, run = setting.pipeline.method, setting.pipeline.optim, setting.pipeline.run
    publish = partial(keep_routing, journal=journal)
    system = SystemMetrics(cuda=setting.device.type == "cuda")
    for note in system.notes:
        setting.warn(note)
    handlers: list[Handler] = [
        PathSampler(parts.pool, parts.routing, parts.subsets.reads, method.statistics, seed, publish),
        RampUp(method.ramp, run.epochs),
        LearningRate(parts.optimizer, optim.learning_rate, SCHEDULES.build(optim.schedule, run.epochs)),
        SubgroupResampler(parts.choice, seed),
        checkpointer.averages,
        HoldoutEvaluation(parts.evaluate_holdout),
        checkpointer.selector,
        Recorder(journal, system, setting.device),
        checkpointer,
        *([Watcher(setting.screen)] if setting.screen else []),
        interruption,
        TestEvaluation(parts.evaluate_test, checkpointer.selector),
        TestRecorder(journal),
    ]
    return build_trainer(build_step(setting.pipeline, parts), handlers)


@contextmanager
def _saving(checkpointer: Checkpointer, trainer: Engine) -> Iterator[None]:
    """Save the state of a training that is interrupted."""
    try:
        yield
    except Interrupted:
        checkpointer.save(trainer)
        raise


@contextmanager
def _recorded(
    setting: Setting, seed: int, again: RunFolder | None, checkpoint: dict[str, Any] | None, report: DataReport
) -> Iterator[tuple[Journal, RunFolder]]:
    """Open the record of a run, and end it with the status that is true: in the tracker, its folder, on the screen."""
    with ExitStack() as held:
        journal = _open_journal(setting, seed, again, checkpoint)
        folder = again
        try:
            folder = again.working() if again else _new_folder(setting, seed, journal, held)
            if again is None:
                keep_setting(setting.pipeline, journal)
                keep_data(report, setting.data, journal)
            yield journal, folder
        except BaseException as error:
            stopped = isinstance(error, (Interrupted, KeyboardInterrupt))
            with suppress(OSError):
                _close(setting, journal, folder, "KILLED" if stopped else "FAILED")
            if setting.screen and isinstance(error, Interrupted):
                setting.screen.interrupted()
            elif setting.screen:
                setting.screen.failed()
            if _is_out_of_memory(error):
                raise RunFailed(_OUT_OF_MEMORY) from error
            raise
        _close(setting, journal, folder, "FINISHED")


def _close(setting: Setting, journal: Journal, folder: RunFolder | None, status: Status) -> None:
    """Note how a run ended; its folder knows it even if the record cannot be closed."""
    try:
        journal.close(status)
    except OSError as error:
        setting.warn(f"tracking: the record of run {journal.run_id} is not closed: {error}")
    finally:
        if folder is not None:
            folder.note(status=status)


def _is_out_of_memory(error: BaseException) -> bool:
    refused = isinstance(error, RuntimeError) and "allocate memory" in str(error)
    return refused or isinstance(error, (MemoryError, torch.OutOfMemoryError))


def run_info(pipeline: Pipeline, seed: int | None, group: str | None, method: str | None = None) -> RunInfo:
    """Describe a run to the tracker; without a seed, the group of all of them."""
    parameters = {"seed": seed, **flat(pipeline)} if seed is not None else {}
    method = method or pipeline.method.preset
    return RunInfo(
        experiment=pipeline.tracking.experiment or pipeline.name,
        name=f"{pipeline.name} {method}" if seed is None else f"{method} seed {seed}",
        seed=seed,
        parameters={key: str(value) for key, value in parameters.items()},
        tags={"cgl.method": method, "cgl.fingerprint": fingerprint(pipeline)},
        parent=group,
    )


def _open_journal(setting: Setting, seed: int, again: RunFolder | None, checkpoint: dict[str, Any] | None) -> Journal:
    info = run_info(setting.pipeline, seed, setting.group, setting.method)
    if again and checkpoint:
        return Journal.resume(again.path, setting.tracker, info, checkpoint["selector"]["judged"], setting.warn)
    return Journal.create(setting.runs, setting.tracker, info, setting.warn)


def _new_folder(setting: Setting, seed: int, journal: Journal, held: ExitStack) -> RunFolder:
    held.enter_context(exclusive(journal.folder, lambda: f"run {journal.run_id} is being worked on already"))
    facts = {"group": setting.group, "data": setting.data, **setting.tags}
    return start_run_folder(journal.folder, setting.pipeline.name, seed, fingerprint(setting.pipeline), **facts)


def _facts(setting: Setting, seed: int, parts: Parts, run_id: str) -> dict[str, Any]:
    splits = parts.splits
    return {
        "run_id": run_id,
        "pipeline": values(setting.pipeline),
        "fingerprint": fingerprint(setting.pipeline),
        "seed": seed,
        "data": dict(setting.data),
        "classes": list(splits.classes),
        "modality": splits.spec.modality,
        "shape": list(splits.spec.shape),
        **_inputs(splits),
        "reads": list(parts.subsets.reads),
        "batches_per_chunk": parts.batches_per_chunk,
    }


def _inputs(splits: Splits) -> dict[str, Any]:
    """Tell what has to be done to raw inputs: how images are normalised, how texts are encoded."""
    normaliser = splits.normaliser
    if isinstance(normaliser, Normaliser):
        return {"mean": normaliser.mean.tolist(), "std": normaliser.std.tolist()}
    encoder = {} if splits.encoder is None else {"encoder": dump_encoder(splits.encoder)}
    return {"vocabulary": splits.spec.vocabulary, **encoder}


def _summary(
    setting: Setting, seed: int, parts: Parts, folder: RunFolder, checkpoint: dict[str, Any] | None
) -> Summary:
    pipeline, splits = setting.pipeline, parts.splits
    return Summary(
        name=pipeline.name,
        method=setting.method,
        dataset=pipeline.data.kind,
        backbone=pipeline.backbone.kind,
        students=pipeline.method.students,
        epochs=pipeline.run.epochs,
        seed=seed,
        device=str(setting.device),
        samples=(len(splits.train), len(splits.holdout)),
        parameters=count_parameters(parts.pool) + count_parameters(parts.weigher),
        folder=folder.path,
        tracking_uri=setting.tracker.uri,
        resumed=checkpoint["selector"]["judged"] if checkpoint else 0,
        modality=splits.spec.modality,
        root=pipeline.data.root,
    )
