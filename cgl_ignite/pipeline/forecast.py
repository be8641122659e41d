"""What an epoch will cost, told by the same plans that will run: work, memory, and the size of a chunk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psutil
import torch

from cgl_ignite.config.schema import Pipeline
from cgl_ignite.imitation import CHOICES, imitation_units, turns_of
from cgl_ignite.pool import RouteTable, Routing, Unit, follow, plan_forward
from cgl_ignite.pool.cost import LayerCost, PlanCost, plan_cost
from cgl_ignite.seeding import stream

__all__ = ["Forecast", "forecast"]

PROBED_DRAWS = 16
CPU_CHUNK_BYTES = 512 * 2**20
COPIES_OF_WEIGHTS = 5
COPIES_OF_FROZEN = 2
BYTES = 4
HELD_BY_MALLOC = 1.2
"""On a CPU: freed blocks that the C library keeps between those in use."""

PASSING = 3
"""Tensors that exist at the same time while the backward pass goes through a layer: gradients of both its ends."""


@dataclass(frozen=True)
class Forecast:
    """The mean iteration of a pipeline, from its first draws of sub-groups.

    Attributes:
        own: students that learn labels from a batch, in one iteration.
        imitated: further (student, batch) units that are run to be imitated.
        backward: units with a backward pass.
        multiply_adds: forward and backward, of one iteration.
        without_sharing: the same if no prefix were shared.
        alone: of one batch of one student trained alone.
        batches_per_chunk: how many batches go through the pool together.
        kept: bytes kept for the backward pass of the largest chunk, with what passes and what the allocator holds.
        weights: bytes of weights, gradients, two moments of the optimizer and the selected copy.
    """

    own: int
    imitated: float
    backward: float
    multiply_adds: float
    without_sharing: float
    alone: int
    batches_per_chunk: int
    kept: int
    weights: int


def forecast(
    pipeline: Pipeline,
    routing: Routing,
    group_of: Sequence[int],
    costs: Sequence[LayerCost],
    seed: int,
    device: torch.device,
) -> Forecast:
    """Plan the first iterations of a run without running them.

    Args:
        pipeline: whose batch size, choice of sub-groups and chunk are read.
        routing: draws the students' paths.
        group_of: for each student, the data group it learns from.
        costs: of one module of each layer.
        seed: of the run.
        device: whose memory decides the default of ``run.batches_per_chunk``.
    """
    paths = [follow(row, len(costs)) for row in routing.sample(stream(seed, "paths")).tolist()]
    routes = RouteTable(paths, paths)
    choice = CHOICES.build(pipeline.method.choose, pipeline.method.students)
    rows = pipeline.optim.batch_size
    learn = pipeline.method.loss.imitated_learn
    free = rows * sum(cost.forward for cost in costs)
    alone = free + rows * sum(cost.backward for cost in costs)
    plans: list[list[PlanCost]] = []
    units: list[Unit] = []
    for iteration in range(1, PROBED_DRAWS + 1):
        imitated = choice.at(seed, iteration).tolist()
        for turn in turns_of(pipeline.method.update, pipeline.method.students):
            groups = sorted({group_of[student] for student in turn})
            batches = [imitation_units([group], group_of, imitated, gradient=learn, turn=turn) for group in groups]
            plans.append([plan_cost(plan_forward(routes, batch, training=True), costs, [rows]) for batch in batches])
            units += [unit for batch in batches for unit in batch]
    chunk = pipeline.run.batches_per_chunk or _chunk(max(plan.kept for row in plans for plan in row), device)
    chunk = min(chunk, max(map(len, plans)))
    return Forecast(
        own=len(group_of),
        imitated=len(units) / PROBED_DRAWS - len(group_of),
        backward=sum(unit.gradient for unit in units) / PROBED_DRAWS,
        multiply_adds=sum(plan.multiply_adds for row in plans for plan in row) / PROBED_DRAWS,
        without_sharing=sum(alone if unit.gradient else free for unit in units) / PROBED_DRAWS,
        alone=alone,
        batches_per_chunk=chunk,
        kept=max(_needed(sorted(row, key=lambda plan: plan.kept)[-chunk:], device) for row in plans),
        weights=_bytes_of_weights(routing, costs),
    )


def _bytes_of_weights(routing: Routing, costs: Sequence[LayerCost]) -> int:
    layers = zip(follow(routing.modules, len(costs)), costs, strict=True)
    return BYTES * sum(
        count * cost.parameters * (COPIES_OF_FROZEN if cost.frozen else COPIES_OF_WEIGHTS) for count, cost in layers
    )


def _needed(plans: Sequence[PlanCost], device: torch.device) -> int:
    held = HELD_BY_MALLOC if device.type == "cpu" else 1.0
    return round(held * sum(plan.kept for plan in plans) + PASSING * sum(plan.widest for plan in plans))


def _chunk(kept: int, device: torch.device) -> int:
    """Take as many batches together as fit: into half of a GPU, or half a GiB on the CPU, where more gain nothing."""
    cuda = device.type == "cuda"
    room = torch.cuda.get_device_properties(device).total_memory // 2 if cuda else CPU_CHUNK_BYTES
    return int(max(1, min(room, psutil.virtual_memory().total // 2) // max(kept, 1)))
