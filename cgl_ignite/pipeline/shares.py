"""What several processes will each have to do and to exchange, told by the plans of the first iterations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean

import torch

from cgl_ignite.config.schema import Pipeline
from cgl_ignite.distributed.limits import portions_of, reduction_of, refuse_undivided
from cgl_ignite.distributed.portions import crossing, owner
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
        busiest: what the process with most multiply-adds computes, as a share of what one process alone computes; the
            others wait for it.
        reduce: how gradients are added up.
        leaving: bytes that leave the process with most of them, if the parameters are divided evenly.
        logits: bytes of logits among them.
    """

    processes: int
    busiest: float
    reduce: str
    leaving: float
    logits: float


def shares(
    pipeline: Pipeline,
    routes: RouteTable,
    modules: Sequence[int],
    group_of: Sequence[int],
    costs: Sequence[LayerCost],
    device: torch.device,
    processes: int,
    frozen: float = 0.0,
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
        frozen: multiply-adds of the frozen teachers for one sample of a batch.

    Raises:
        InputError: they cannot divide it.
    """
    portion_of = portions_of(pipeline, group_of)
    refuse_undivided(pipeline, len(set(portion_of)), processes)
    reduce = reduction_of(pipeline, device.type, processes)
    seed, passes = pipeline.seeds[0], portion_of if reduce == "ordered" else group_of
    choice = CHOICES.build(pipeline.method.choose, pipeline.method.students)
    owners = [owner(portion, processes) for portion in portion_of]
    across = crossing(portion_of, group_of, processes)
    own = [[k for k, process in enumerate(owners) if process == rank] for rank in range(processes)]
    taught_alone, *taught = (_frozen(pipeline, frozen, group_of, each) for each in (range(len(group_of)), *own))
    busiest, gradients, logits = [], [], []
    for iteration in range(1, PROBED_DRAWS + 1):
        imitated = choice.at(seed, iteration)
        planned = partial(_planned, pipeline, routes, group_of, imitated=imitated.tolist())
        plans = [list(planned(students, passes)) for students in own]
        alone = taught_alone + _work(pipeline, planned(range(len(group_of)), group_of), costs)
        work = (_work(pipeline, each, costs) + teachers for each, teachers in zip(plans, taught, strict=True))
        busiest.append(max(work) / alone)
        gradients.append(max(sum(_gradients(plan, costs) for plan in each) for each in plans))
        sent = (imitated & across).any(dim=0).tolist()
        logits.append(max(sum(sent[k] for k in students) for students in own))
    layers = zip(follow(modules, len(costs)), costs, strict=True)
    size = BYTES * sum(count * cost.trained for count, cost in layers)
    exchanged = (fmean(gradients) + size if reduce == "ordered" else 2 * size) * (processes - 1) / processes
    told = fmean(logits) * (processes - 1) * BYTES * pipeline.optim.batch_size * math.prod(costs[-1].output)
    return Shares(processes, fmean(busiest), reduce, exchanged + told, told)


def _planned(
    pipeline: Pipeline,
    routes: RouteTable,
    group_of: Sequence[int],
    learners: Sequence[int],
    passes: Sequence[int],
    *,
    imitated: Sequence[Sequence[bool]],
) -> Iterator[Plan]:
    """Plan the passes in which some students learn; those of one pass have the same number in ``passes``."""
    everyone, learn = range(len(group_of)), pipeline.method.loss.imitated_learn
    for number in sorted({passes[k] for k in learners}):
        turn = [k for k in learners if passes[k] == number]
        groups = sorted({group_of[k] for k in turn})
        units = imitation_units(groups, group_of, imitated, gradient=learn, turn=turn, elsewhere=everyone)
        yield plan_forward(routes, units, training=True)


def _work(pipeline: Pipeline, plans: Iterable[Plan], costs: Sequence[LayerCost]) -> int:
    """Return the multiply-adds of some passes, each on one batch."""
    return sum(plan_cost(plan, costs, [pipeline.optim.batch_size]).multiply_adds for plan in plans)


def _frozen(pipeline: Pipeline, frozen: float, group_of: Sequence[int], students: Iterable[int]) -> float:
    """Return the multiply-adds of the frozen teachers, which run once on each batch that some students learn from."""
    return frozen * pipeline.optim.batch_size * len({group_of[k] for k in students})


def _gradients(plan: Plan, costs: Sequence[LayerCost]) -> int:
    """Return the bytes of the gradients of those modules that learn in a plan."""
    layers = zip(plan.layers, costs, strict=True)
    return BYTES * sum(len({call.module for call in calls if call.gradient}) * cost.trained for calls, cost in layers)
