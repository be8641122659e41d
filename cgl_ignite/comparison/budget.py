"""What the methods of a comparison cost, and how many passes give all of them as many optimizer steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from cgl_ignite.analysis.comparison import Cost
from cgl_ignite.config.equal import fixed_cost
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.data import ENCODINGS, DataSource, iterations_of_a_pass, rows_held_out
from cgl_ignite.errors import InputError
from cgl_ignite.imitation import turns_of
from cgl_ignite.pipeline.assemble import blueprint, divided, routes_of
from cgl_ignite.pipeline.forecast import forecast
from cgl_ignite.pipeline.teachers import distil_teachers_work, frozen_work
from cgl_ignite.pool import modular_layers
from cgl_ignite.pool.cost import LayerCost, measure_layers
from cgl_ignite.pool.plan import RouteTable
from cgl_ignite.seeding import stream
from cgl_ignite.spec import InputSpec

__all__ = ["DataForm", "budget", "budgets", "steps_of_a_pass", "with_cost", "with_epochs", "with_passes"]


@dataclass(frozen=True)
class DataForm:
    """What a cost depends on of the data: the form of an input, the number of classes, and of the training rows."""

    spec: InputSpec
    classes: int
    rows: int

    @classmethod
    def of(cls, pipeline: Pipeline, source: DataSource) -> DataForm:
        """Tell it of data that are read; inputs have the form that the students read."""
        data, encoding = pipeline.data, ENCODINGS.build(pipeline.data.encoding)
        rows = len(encoding.targets(source.train))
        used = min(data.limit or rows, rows)
        used -= 0 if source.holdout else rows_held_out(data.holdout, used, data.limit)
        return cls(encoding.spec or source.spec, len(source.classes), used)


def budget(pipeline: Pipeline, data: DataSource | DataForm, costs: Sequence[LayerCost] = ()) -> Cost:
    """Tell what one run costs, from the number of its training rows; no row is looked at.

    Layers are measured unless their ``costs`` are known.
    """
    form = data if isinstance(data, DataForm) else DataForm.of(pipeline, data)
    spec = form.spec
    backbone, routing = blueprint(pipeline, spec, form.classes)
    costs = costs or measure_layers(modular_layers(backbone), spec)
    subsets = divided(pipeline, form.rows)
    mean = forecast(pipeline, routing, subsets.group_of, costs, pipeline.seeds[0], torch.device("cpu"))
    passes, rows = pipeline.run.epochs * pipeline.run.passes_per_epoch, pipeline.optim.batch_size
    iterations = passes * iterations_of_a_pass(max(subsets.sizes), rows)
    together = len(subsets.sizes) * rows
    paths = routing.sample(stream(pipeline.seeds[0], "paths")).tolist()
    routes = routes_of(pipeline, paths, subsets.group_of, costs)
    mean_work = mean.multiply_adds + together * frozen_work(pipeline, spec, routes, costs)
    distil_steps, distil_work = _distillation(pipeline, form, routes, costs)
    return Cost(
        steps=passes * steps_of_a_pass(pipeline, form) + distil_steps,
        passes=pipeline.run.passes_per_epoch,
        multiply_adds=mean_work / together,
        work=iterations * mean_work + distil_work,
        epochs=pipeline.run.epochs,
        evaluation=pipeline.method.students * sum(cost.forward for cost in costs),
    )


def _distillation(
    pipeline: Pipeline, form: DataForm, routes: RouteTable, costs: Sequence[LayerCost]
) -> tuple[int, float]:
    """Count the optimizer steps of the distillation at the end, and its multiply-adds."""
    distil = pipeline.distil
    if distil is None:
        return 0, 0.0
    rows = pipeline.optim.batch_size
    passes = distil.epochs * pipeline.run.passes_per_epoch
    steps = passes * iterations_of_a_pass(form.rows, rows)
    own = sum(cost.forward + cost.backward for cost in costs)
    taught = distil_teachers_work(pipeline, form.spec, routes, costs)
    return steps, steps * rows * (own + taught)


def budgets(pipelines: Mapping[str, Pipeline], data: DataSource | DataForm, equal: str = "epochs") -> dict[str, Cost]:
    """Tell what a run of each row costs; all rows read the same data.

    With equal steps each makes the fewest passes per epoch that give it as many steps as the one with most, or more.
    With equal cost each trains for the number of epochs whose multiply-adds come nearest to those that are given, or
    else to those of the dearest one.

    Raises:
        InputError: a row for which the multiply-adds are less than half an epoch.
    """
    form = data if isinstance(data, DataForm) else DataForm.of(next(iter(pipelines.values())), data)
    if equal == "steps":
        steps = {name: one.run.epochs * steps_of_a_pass(one, form) for name, one in pipelines.items()}
        most = max(steps[name] * one.run.passes_per_epoch for name, one in pipelines.items())
        pipelines = {name: with_passes(one, -(-most // steps[name])) for name, one in pipelines.items()}
    costs: dict[str, Sequence[LayerCost]] = {}
    for one in pipelines.values():
        if (kind := _backbone(one)) not in costs:
            costs[kind] = measure_layers(modular_layers(blueprint(one, form.spec, form.classes)[0]), form.spec)
    found = {name: budget(one, form, costs[_backbone(one)]) for name, one in pipelines.items()}
    if not equal.startswith("cost"):
        return found
    work = fixed_cost(equal) or max(cost.work for cost in found.values())
    _refuse_less_than_an_epoch(found, work)
    return {
        name: budget(with_cost(one, found[name], work), form, costs[_backbone(one)]) for name, one in pipelines.items()
    }


def _refuse_less_than_an_epoch(costs: Mapping[str, Cost], work: float) -> None:
    for name, cost in costs.items():
        if cost.epochs * work < cost.work / 2:
            epoch = cost.work / cost.epochs
            raise InputError(
                f"an equal cost of {work:.3g} multiply-adds is less than one epoch of {name!r}; take {epoch:.3g}"
            )


def _backbone(pipeline: Pipeline) -> str:
    return pipeline.backbone.model_dump_json()


def with_passes(pipeline: Pipeline, passes: int) -> Pipeline:
    """Return the pipeline with another number of passes per epoch."""
    return pipeline.model_copy(update={"run": pipeline.run.model_copy(update={"passes_per_epoch": passes})})


def with_cost(pipeline: Pipeline, cost: Cost, work: float) -> Pipeline:
    """Return the pipeline, which costs this much, with the epochs whose multiply-adds come nearest to ``work``."""
    return with_epochs(pipeline, max(1, round(pipeline.run.epochs * work / cost.work)))


def with_epochs(pipeline: Pipeline, epochs: int) -> Pipeline:
    """Return the pipeline with another number of epochs.

    What is given as a fraction of them stretches with it, and so does the distillation.
    """
    changed: dict[str, Any] = {"run": pipeline.run.model_copy(update={"epochs": epochs})}
    if pipeline.distil is not None:
        stretched = max(1, round(pipeline.distil.epochs * epochs / pipeline.run.epochs))
        changed["distil"] = pipeline.distil.model_copy(update={"epochs": stretched})
    return pipeline.model_copy(update=changed)


def steps_of_a_pass(pipeline: Pipeline, data: DataSource | DataForm) -> int:
    """Count the optimizer steps in which every group goes once through its rows.

    Each turn of an iteration is a step, unless its students have no rows left.
    """
    form = data if isinstance(data, DataForm) else DataForm.of(pipeline, data)
    subsets, method = divided(pipeline, form.rows), pipeline.method
    return sum(
        iterations_of_a_pass(max(subsets.sizes[subsets.group_of[k]] for k in turn), pipeline.optim.batch_size)
        for turn in turns_of(method.update, method.students)
    )
