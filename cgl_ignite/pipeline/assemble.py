"""From a pipeline to the parts of one run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from cgl_ignite.averaging import WEIGHT_AVERAGES
from cgl_ignite.backbones import BACKBONES, Backbone, FrozenBuilder
from cgl_ignite.backbones.momentum import with_momentum
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.data import SUBSETS, Batches, Examples, Normaliser, Splits, Subsets
from cgl_ignite.distributed.limits import portions_of
from cgl_ignite.engine.evaluate import build_evaluator, evaluate
from cgl_ignite.engine.optim import OPTIMIZERS, layer_groups
from cgl_ignite.engine.replay import GraphRecorder, find_recorder
from cgl_ignite.engine.step import CollaborativeStep
from cgl_ignite.handlers.checkpoint import Stateful
from cgl_ignite.handlers.interruption import Interruption
from cgl_ignite.handlers.state import Scores
from cgl_ignite.handlers.weight_average import WeightAverage
from cgl_ignite.imitation import AGGREGATIONS, CHOICES, Choice, FrozenTeachers, View, turns_of
from cgl_ignite.pipeline.batches import build_batches, weights_of_classes
from cgl_ignite.pipeline.data import RunData
from cgl_ignite.pipeline.device import find_precision
from cgl_ignite.pipeline.forecast import forecast
from cgl_ignite.pipeline.metrics import wanted_metrics
from cgl_ignite.pipeline.processes import adds_in_order, divide, divide_rows
from cgl_ignite.pipeline.teachers import PoolTeachers, load_teachers
from cgl_ignite.pool import (
    ROUTINGS,
    ModularNetwork,
    Routing,
    add_classifier,
    follow,
    modular_layers,
    share_first,
    trunk_of,
)
from cgl_ignite.pool.cost import LayerCost, measure_layers
from cgl_ignite.pool.plan import RouteTable
from cgl_ignite.pretrained import Beginning, begin_with, shared_layers
from cgl_ignite.seeding import global_stream
from cgl_ignite.spec import InputSpec
from cgl_ignite.tasks import Task, task_of

if TYPE_CHECKING:
    from cgl_ignite.distributed.division import Division
    from cgl_ignite.distributed.peers import Peers

__all__ = [
    "Parts",
    "assemble",
    "blueprint",
    "build_aggregator",
    "build_step",
    "count_parameters",
    "divided",
    "routes_of",
]


@dataclass(frozen=True)
class Parts:
    """Everything one run is made of, for one seed.

    ``portion_of``: for each student, the portion that one process works on as a whole. ``ordered``: gradients of
    portions are kept apart and added in order. ``division``: the share of this process, of several.
    """

    splits: Splits
    subsets: Subsets
    batches: Batches
    routing: Routing
    pool: ModularNetwork
    costs: list[LayerCost]
    operations: Sequence[Sequence[tuple[str, str]]]
    beginning: Beginning | None
    choice: Choice
    aggregator: nn.Module
    optimizer: Optimizer
    average: WeightAverage | None
    teachers: FrozenTeachers | None
    class_weights: Tensor | None
    task: Task
    batches_per_chunk: int
    recorder: GraphRecorder | None
    evaluate_holdout: Callable[[], Scores]
    evaluate_test: Callable[[], Scores]
    portion_of: Sequence[int]
    ordered: bool = False
    division: Division | None = None

    @property
    def trained(self) -> dict[str, Stateful]:
        """What training changes, by name, and the pool that teaches, which no file holds."""
        more: dict[str, Stateful] = {} if self.average is None else {"average": self.average}
        if isinstance(self.teachers, PoolTeachers):
            more["teachers"] = self.teachers.pool
        return {"pool": self.pool, "weigher": self.aggregator, "optimizer": self.optimizer, **more}

    @property
    def parameters(self) -> int:
        """How many parameters are trained, those of the weights of imitation included."""
        return count_parameters(self.pool) + count_parameters(self.aggregator)


def blueprint(pipeline: Pipeline, spec: InputSpec, classes: int) -> tuple[Backbone, Routing]:
    """Return the backbone of a pool, with new weights, and the routing that establishes its students."""
    method, frozen = pipeline.method, pipeline.optim.frozen_layers
    built: Backbone = BACKBONES.build(pipeline.backbone, spec, classes)
    backbone = with_momentum(built, pipeline.backbone.momentum)
    routing = ROUTINGS.build(method.routing, method.students, backbone.stages)
    routing = share_first(routing, shared_layers(pipeline.backbone.weights, method.start, frozen, len(backbone.layers)))
    layers = tuple(FrozenBuilder(each) if number < frozen else each for number, each in enumerate(backbone.layers))
    return replace(backbone, layers=layers), add_classifier(routing, method.students, method.classifier)


def build_aggregator(
    pipeline: Pipeline, backbone: Backbone, routing: Routing, costs: Sequence[LayerCost], seed: int
) -> nn.Module:
    """Build what weighs imitated students, for the layers of the pool that it may look at."""
    method, trunk = pipeline.method, trunk_of(routing.modules)
    view = View(
        backbone.to_vector,
        trunk=costs[trunk - 1].width(backbone.to_vector) if 0 < trunk < len(costs) else None,
        features=costs[-2].width(backbone.to_vector),
    )
    choice: Choice = CHOICES.build(method.choose, method.students)
    with global_stream(seed, "weighing"):
        aggregator: nn.Module = AGGREGATIONS.build(method.weigh, method.students, choice, view)
    return aggregator


def divided(pipeline: Pipeline, rows: int) -> Subsets:
    """Divide as many training rows among the students of a pipeline's first seed; their classes do not count."""
    targets = torch.zeros(rows, dtype=torch.int64)
    subsets: Subsets = SUBSETS.build(pipeline.method.subsets, targets, pipeline.method.students, pipeline.seeds[0])
    return subsets


def routes_of(
    pipeline: Pipeline, paths: Sequence[Sequence[int]], group_of: Sequence[int], costs: Sequence[LayerCost]
) -> RouteTable:
    """Return the routes that students get on these paths, from the measured layers alone."""
    whole = [follow(row, len(costs)) for row in paths]
    return RouteTable.of(whole, group_of, [cost.statistics for cost in costs], pipeline.method.statistics)


def assemble(
    pipeline: Pipeline,
    data: RunData,
    seed: int,
    device: torch.device,
    interruption: Interruption,
    teachers: FrozenTeachers | None = None,
    peers: Peers | None = None,
) -> Parts:
    """Build every part of one run from its registered builder; ``teachers`` in the place of those that it names.

    With ``peers`` it is the share of this process.
    """
    splits, backbone, routing, beginning = _begun(pipeline, data.splits(seed))
    subsets: Subsets = SUBSETS.build(pipeline.method.subsets, splits.train.targets, pipeline.method.students, seed)
    pool, costs = _pool(pipeline, backbone, routing, splits.spec, seed, device)
    aggregator = build_aggregator(pipeline, backbone, routing, costs, seed).to(device)
    scores = _scores(pool, splits, device, interruption, pipeline, peers)
    optimizer, average = _optimizer(pipeline, pool, aggregator), _average(pipeline, pool)
    ordered, portion_of = adds_in_order(pipeline, device, peers), portions_of(pipeline, subsets.group_of)
    return Parts(
        splits=splits,
        subsets=subsets,
        batches=build_batches(pipeline, splits, subsets, seed, device),
        routing=routing,
        pool=pool,
        costs=costs,
        operations=backbone.operations,
        beginning=beginning,
        choice=CHOICES.build(pipeline.method.choose, pipeline.method.students),
        aggregator=aggregator,
        optimizer=optimizer,
        average=average,
        teachers=teachers or load_teachers(pipeline.method.teachers, pipeline, splits, device, average),
        class_weights=weights_of_classes(pipeline, splits, subsets, device),
        task=task_of(pipeline.data.kind, pipeline.data.options),
        batches_per_chunk=1 if ordered else _chunk(pipeline, routing, subsets, costs, seed, device),
        recorder=_recorder(pipeline, device, pool, portion_of if ordered else subsets.group_of, peers),
        evaluate_holdout=partial(scores, splits.holdout.to(device)),
        evaluate_test=lambda: scores(splits.test().to(device)),
        portion_of=portion_of,
        ordered=ordered,
        division=divide(pipeline, peers, optimizer, portion_of, subsets.group_of, len(splits.classes), ordered=ordered),
    )


def _pool(
    pipeline: Pipeline, backbone: Backbone, routing: Routing, spec: InputSpec, seed: int, device: torch.device
) -> tuple[ModularNetwork, list[LayerCost]]:
    """Build the modules of a pool, and measure one of each layer."""
    layers, precision = modular_layers(backbone), find_precision(pipeline)
    pool = ModularNetwork(layers, routing.modules, seed, precision)
    pool.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return pool, measure_layers(layers, spec, precision)


def _begun(pipeline: Pipeline, splits: Splits) -> tuple[Splits, Backbone, Routing, Beginning | None]:
    """Return the design of a pool that begins with its weights, and its data, normalised as these expect it."""
    backbone, routing = blueprint(pipeline, splits.spec, len(splits.classes))
    backbone, beginning = begin_with(pipeline, backbone, routing.modules, splits.classes, splits.tokenizer)
    known = None if beginning is None else beginning.normaliser
    if known is not None and isinstance(splits.normaliser, Normaliser):
        splits = replace(splits, normaliser=known)
    return splits, backbone, routing, beginning


def _chunk(
    pipeline: Pipeline, routing: Routing, subsets: Subsets, costs: Sequence[LayerCost], seed: int, device: torch.device
) -> int:
    """Return how many batches go through the pool together."""
    return forecast(pipeline, routing, subsets.group_of, costs, seed, device).batches_per_chunk


def _average(pipeline: Pipeline, pool: ModularNetwork) -> WeightAverage | None:
    keep = WEIGHT_AVERAGES.build(pipeline.run.average)
    return WeightAverage(pool, keep) if keep else None


def _optimizer(pipeline: Pipeline, pool: ModularNetwork, aggregator: nn.Module) -> Optimizer:
    optim = pipeline.optim
    groups = layer_groups(list(pool.layers), aggregator, optim.decay, optim.layer_decay)
    optimizer: Optimizer = OPTIMIZERS.build(optim, groups, optim.learning_rate)
    return optimizer


def _recorder(
    pipeline: Pipeline, device: torch.device, pool: ModularNetwork, together: Sequence[int], peers: Peers | None
) -> GraphRecorder | None:
    """Return what records iterations.

    By itself it does so where all of them launch the same kernels: in one process whose students go through the pool
    and learn together.
    """
    method = pipeline.method
    alike = len(set(together)) == 1 and method.update == "together" and not method.teachers and peers is None
    return find_recorder(pipeline.run.graphs, device, pool, alike=alike)


def _scores(
    pool: ModularNetwork,
    splits: Splits,
    device: torch.device,
    interruption: Interruption,
    pipeline: Pipeline,
    peers: Peers | None,
) -> Callable[[Examples], Scores]:
    """Return what scores all students on some rows."""
    metrics, task = wanted_metrics(pipeline, splits), task_of(pipeline.data.kind, pipeline.data.options)
    evaluator = build_evaluator(pool, device, answers=bool(metrics), computed=peers is not None, task=task)
    interruption.attach(evaluator)
    share = None if peers is None else divide_rows(pool, peers, device)
    return lambda examples: evaluate(evaluator, examples, splits.normaliser, device, metrics, task, share)


def build_step(pipeline: Pipeline, parts: Parts) -> CollaborativeStep:
    """Build the training step of a pipeline around the parts of a run."""
    method = pipeline.method
    return CollaborativeStep(
        parts.pool,
        parts.aggregator,
        parts.optimizer,
        parts.subsets.group_of,
        method.loss,
        parts.batches_per_chunk,
        parts.recorder,
        turns_of(method.update, method.students),
        pipeline.optim.clip_norm,
        parts.teachers,
        parts.class_weights,
        parts.task,
        parts.division,
        parts.portion_of if parts.ordered else None,
    )


def count_parameters(module: nn.Module) -> int:
    """Count what is trained in a module."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
