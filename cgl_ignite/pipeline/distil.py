"""The distillation at the end of a run: one student that learns from frozen teachers takes the place of the pool's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import Tensor

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.dump import values
from cgl_ignite.config.schema import ENSEMBLE, Pipeline
from cgl_ignite.data import Splits
from cgl_ignite.handlers.interruption import Interruption
from cgl_ignite.pipeline.active import DISTILLATION, ActiveRun, Before, begin
from cgl_ignite.pipeline.assemble import assemble
from cgl_ignite.pipeline.teachers import PoolTeachers, load_teachers
from cgl_ignite.pool import ModularNetwork
from cgl_ignite.seeding import stream

__all__ = [
    "StartFrom",
    "distilling",
    "next_stage",
    "pipeline_of_distillation",
    "refuse_unfit_teacher",
    "student_weights",
]


def distilling(checkpoint: Mapping[str, Any] | None) -> bool:
    """Tell whether a checkpoint was written in the distillation."""
    return checkpoint is not None and checkpoint["facts"].get("stage") == DISTILLATION


def pipeline_of_distillation(pipeline: Pipeline) -> Pipeline:
    r"""Return the pipeline that the student of a distillation is trained by: one network and its frozen teachers.

    .. math:: L = (1 - w) \, L_{ce} + w \, T^2 \, \mathrm{KL}\big(\bar p(T) \,\|\, p(T)\big)

    with :math:`\bar p` the mean of the teachers' tempered predictions (Hinton et al. 2015), w = ``distil.weight`` and
    T = ``distil.temperature``. Its epochs follow those of the pool; learning rate, average of weights and augmentation
    are the same.
    """
    distil, tree = pipeline.distil, values(pipeline)
    assert distil is not None
    before = tree["method"]
    tree["method"] = {
        "preset": "baseline",
        "selection": before["selection"],
        "loss": {
            "temperature": distil.temperature,
            "mixes": "probabilities",
            "teacher_gradient": "stopped",
            "label_weight": 1.0 - distil.weight,
            "imitation_weight": distil.weight,
            "label_smoothing": pipeline.method.loss.label_smoothing,
        },
        "ramp": {"start": 0.0, "end": 0.0},
    }
    tree["run"]["epochs"] = pipeline.run.epochs + distil.epochs
    del tree["distil"]
    return load_pipeline(tree)


def refuse_unfit_teacher(pipeline: Pipeline, splits: Splits) -> None:
    """Make sure before the pool is trained that the teacher of its distillation is there and fits the data.

    Raises:
        InputError: it is not there, or does not fit.
    """
    if pipeline.distil is not None and pipeline.distil.teacher != ENSEMBLE:
        load_teachers([pipeline.distil.teacher], pipeline, splits, torch.device("cpu"))


def next_stage(first: ActiveRun, checkpoint: Mapping[str, Any] | None, interruption: Interruption) -> ActiveRun:
    """Prepare the distillation that follows the training of a pool, or goes on from its own checkpoint.

    Raises:
        InputError: a teacher that is not there, or does not fit the data.
    """
    context, pool, distil = first.context, first.parts.pool, first.pipeline.distil
    assert distil is not None
    if checkpoint is None:
        pool.load_state_dict(first.selector.weights)
    else:
        paths = first.parts.routing.sample(stream(first.seed, "paths"))
        pool.route(paths, first.parts.subsets.group_of, first.pipeline.method.statistics)
    pipeline, splits = pipeline_of_distillation(first.pipeline), first.parts.splits
    teachers = (
        PoolTeachers(pool)
        if distil.teacher == ENSEMBLE
        else load_teachers([distil.teacher], pipeline, splits, context.device)
    )
    parts = assemble(pipeline, context.data, first.seed, context.device, interruption, teachers)
    before = Before(first.pipeline.run.epochs, first.parts.parameters, first.samples, first.averages.seconds)
    stage = begin(context, pipeline, first.seed, parts, first.journal, first.folder, checkpoint, before)
    if distil.start == "selected" and checkpoint is None and first.selector.selected is not None:
        start = student_weights(pool, first.selector.selected.student, first.selector.weights)
        stage.initial.append(StartFrom(parts.pool, start))
    return stage


def student_weights(pool: ModularNetwork, student: int, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Take the weights of one student out of those of its pool, named as in a pool of one.

    Running statistics keep the row of the student; those of frozen layers have no rows.
    """
    found = {}
    for layer, (module, slot) in enumerate(zip(pool.routes.paths[student], pool.routes.slots[student], strict=True)):
        prefix, rows = f"layers.{layer}.{module}.", ("running_mean", "running_var")
        for name, value in weights.items():
            if name.startswith(prefix):
                kept = value[slot : slot + 1] if name.endswith(rows) and value.dim() > 1 else value
                found[f"layers.{layer}.0.{name.removeprefix(prefix)}"] = kept.clone()
    return found


class StartFrom:
    """Give the pool other weights than fresh ones, once its students are established."""

    def __init__(self, pool: ModularNetwork, weights: Mapping[str, Tensor]) -> None:
        self.pool = pool
        self.weights = weights

    def attach(self, engine: Engine) -> None:
        """Load the weights when the run starts."""
        engine.add_event_handler(Events.STARTED, lambda _: self.pool.load_state_dict(self.weights))
