"""What several processes will each have to do and to exchange, told by the plans of the first iterations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import torch

from cgl_ignite.config.schema import Pipeline
from cgl_ignite.distributed.limits import reduction_of, refuse_undivided
from cgl_ignite.imitation import CHOICES, imitation_units
from cgl_ignite.pool import Plan, RouteTable, follow, plan_forward
from cgl_ignite.pool.cost import LayerCost, plan_cost

__all__ = ["Shares", "shares"]

PROBED_DRAWS = 16
BYTES = 4


@dataclass(frozen=True)
class Shares:
    """The mean iteration of a pool on several processes.

    Attributes:
        processes: how many there are.
        busiest: the share of the multiply-adds that the process with most of them computes; the others wait for it.
        reduce: how gradients are added up.
        leaving: bytes that leave the process with most of them, if the parameters are divided evenly.
    """

    processes: int
    busiest: float
    reduce: str
    leaving: float


def shares(
    pipeline: Pipeline,
    routes: RouteTable,
    modules: Sequence[int],
    group_of: Sequence[int],
    costs: Sequence[LayerCost],
    device: torch.device,
    processes: int,
) -> Shares:
    """Plan the first iterations of a run on so many processes, without running them.

    Args:
        pipeline: whose batch size and choice of sub-groups are read.
        routes: of the students.
        modules: how many modules each layer holds.
        group_of: for each student, the data group it learns from.
        costs: of one module of each layer.
        device: of the run.
        processes: how many there are.

    Raises:
        InputError: they cannot divide it.
    """
    groups = sorted(set(group_of))
    refuse_undivided(pipeline, len(groups), processes)
    seed, learn = pipeline.seeds[0], pipeline.method.loss.imitated_learn
    choice = CHOICES.build(pipeline.method.choose, pipeline.method.students)
    busiest, sent = [], []
    for iteration in range(1, PROBED_DRAWS + 1):
        imitated = choice.at(seed, iteration).tolist()
        units = [imitation_units([group], group_of, imitated, gradient=learn) for group in groups]
        plans = [plan_forward(routes, unit, training=True) for unit in units]
        work = [plan_cost(plan, costs, [pipeline.optim.batch_size]).multiply_adds for plan in plans]
        used = [_gradients(plan, costs) for plan in plans]
        busiest.append(max(sum(work[rank::processes]) for rank in range(processes)) / sum(work))
        sent.append(max(sum(used[rank::processes]) for rank in range(processes)))
    layers = zip(follow(modules, len(costs)), costs, strict=True)
    size = BYTES * sum(count * cost.trained for count, cost in layers)
    reduce = reduction_of(pipeline, device.type, processes)
    leaving = (fmean(sent) + size if reduce == "ordered" else 2 * size) * (processes - 1) / processes
    return Shares(processes, fmean(busiest), reduce, leaving)


def _gradients(plan: Plan, costs: Sequence[LayerCost]) -> int:
    """Return the bytes of the gradients of those modules that learn in a plan."""
    layers = zip(plan.layers, costs, strict=True)
    return BYTES * sum(len({call.module for call in calls if call.gradient}) * cost.trained for calls, cost in layers)
