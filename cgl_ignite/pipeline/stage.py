"""The handlers of a training, in the order that is the story of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ignite.engine import Engine
from torch import Tensor

from cgl_ignite.config.schema import Pipeline
from cgl_ignite.engine.trainer import Handler, build_trainer
from cgl_ignite.errors import Interrupted
from cgl_ignite.handlers.averages import TrainingAverages
from cgl_ignite.handlers.checkpoint import Checkpointer
from cgl_ignite.handlers.evaluation import HoldoutEvaluation
from cgl_ignite.handlers.paths import PathSampler
from cgl_ignite.handlers.ramp import RampUp
from cgl_ignite.handlers.schedule import LearningRate
from cgl_ignite.handlers.selection import StudentSelector
from cgl_ignite.handlers.subgroups import SubgroupResampler
from cgl_ignite.pipeline.assemble import Parts, build_step
from cgl_ignite.schedules import SCHEDULES
from cgl_ignite.selection import SELECTIONS, compared_by

if TYPE_CHECKING:
    from cgl_ignite.handlers.gathering import Gathering

__all__ = ["Learning", "gathering_of", "saving", "selector_of", "stage_trainer"]


def selector_of(pipeline: Pipeline, parts: Parts, seed: int) -> StudentSelector:
    """Build what selects the student of a run."""
    rule = SELECTIONS.build(pipeline.method.selection, pipeline.method.students, seed)
    judged = parts.average.pool_weights if parts.average else None
    return StudentSelector(parts.pool, rule, judged, compared_by(pipeline.method.selection))


def gathering_of(parts: Parts, averages: TrainingAverages) -> Gathering | None:
    """Build what brings together the state that several processes hold; one process alone needs none."""
    if parts.division is None:
        return None
    from cgl_ignite.handlers.gathering import Gathering

    return Gathering(parts.division.peers, parts.pool, parts.portion_of, averages, parts.average)


@dataclass(frozen=True)
class Learning:
    """What trains and judges, the same in every process of a run.

    Attributes:
        pipeline: of the stage.
        before: the epochs of earlier stages.
        initial: handlers that change the weights before the first iteration.
    """

    pipeline: Pipeline
    seed: int
    parts: Parts
    averages: TrainingAverages
    selector: StudentSelector
    checkpointer: Checkpointer
    before: int = 0
    initial: Iterable[Handler] = field(default_factory=list)


def stage_trainer(
    learning: Learning,
    *,
    publish: Iterable[Callable[[Tensor], None]] = (),
    record: Iterable[Handler] = (),
    last: Iterable[Handler],
) -> Engine:
    """Build the trainer of a stage.

    Args:
        learning: what trains and judges.
        publish: get the table of paths.
        record: handlers that write down an epoch, once its student is selected.
        last: handlers after a checkpoint is saved.
    """
    pipeline, parts, before = learning.pipeline, learning.parts, learning.before
    method, optim, average = pipeline.method, pipeline.optim, parts.average
    epochs = pipeline.run.epochs - before
    gathering = learning.checkpointer.gathering
    handlers: list[Handler] = [
        PathSampler(parts.pool, parts.routing, parts.subsets.group_of, method.statistics, learning.seed, *publish),
        *learning.initial,
        RampUp(method.ramp, epochs),
        LearningRate(parts.optimizer, optim.learning_rate, SCHEDULES.build(optim.schedule, epochs), before),
        SubgroupResampler(parts.choice, learning.seed),
        *([gathering] if gathering else []),
        learning.averages,
        *([average] if average else []),
        HoldoutEvaluation(average.judged(parts.evaluate_holdout) if average else parts.evaluate_holdout),
        learning.selector,
        *record,
        learning.checkpointer,
        *last,
    ]
    return build_trainer(build_step(pipeline, parts), handlers)


@contextmanager
def saving(checkpointer: Checkpointer, trainer: Engine) -> Iterator[None]:
    """Save the state of a training that is interrupted."""
    try:
        yield
    except Interrupted:
        checkpointer.save(trainer)
        raise
