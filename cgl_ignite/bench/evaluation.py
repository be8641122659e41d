"""Scores of all students in one pass, beside the students taken out of the pool, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from cgl_ignite.bench.figures import ratio, summary
from cgl_ignite.bench.passes import PlannedPass, ready, repetitions, typical_batch
from cgl_ignite.bench.progress import take_turns
from cgl_ignite.bench.race import make_clock
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.data import Batch, Splits, evaluation_batches, evaluation_order
from cgl_ignite.engine.evaluate import ROWS, pool_logits
from cgl_ignite.pipeline.assemble import Parts
from cgl_ignite.pipeline.device import cpu_threads, find_device, find_precision
from cgl_ignite.pool import ModularNetwork, extract_student
from cgl_ignite.pool.cost import LayerCost, plan_cost
from cgl_ignite.pool.precision import full, lowered

__all__ = ["arithmetic_of", "differs", "measure_evaluation"]

MOST_BATCHES = 8
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.1}
TOGETHER, ALONE = "all students in one pass", "one student after the other"
Statistics = Literal["student", "shared"]


def measure_evaluation(pipeline: Pipeline, rounds: int, clock: str) -> dict[str, Any]:
    """Time both ways to score all students, in turns, on the same batches of the holdout.

    Args:
        pipeline: the setting; the students have seen one batch.
        rounds: how often both take turns.
        clock: ``wall`` or ``cpu``, see :func:`cgl_ignite.bench.race.make_clock`.

    Raises:
        AssertionError: the two do not compute the same logits.
    """
    device, precision = find_device(pipeline.run.device), find_precision(pipeline)
    seconds = make_clock(clock, device)
    with cpu_threads(pipeline.run.threads):
        parts = ready(pipeline)
        PlannedPass(pipeline, parts, typical_batch(parts.batches))(1)
        students = [extract_student(parts.pool, student) for student in range(pipeline.method.students)]
        (middle,) = holdout_batches(parts.splits, 1, device)
        deviation = differs(parts.pool, students, middle.inputs, precision)
        since = seconds()
        pool_logits(parts.pool, middle.inputs)
        batches = holdout_batches(parts.splits, repetitions(seconds() - since, MOST_BATCHES), device)
        ways: dict[str, Callable[[], Any]] = {
            TOGETHER: lambda: [pool_logits(parts.pool, batch.inputs) for batch in batches],
            ALONE: lambda: [[_logits(one, batch.inputs, precision) for batch in batches] for one in students],
        }
        taken = take_turns(ways, rounds, seconds)
        threads = torch.get_num_threads()
    times = {name: [1e3 * second / len(batches) for second in values] for name, values in taken.items()}
    return {
        "students": len(students),
        "rows": [len(batch.targets) for batch in batches],
        "device": str(device),
        "threads": threads,
        "clock": clock,
        "deviation_of_logits": deviation,
        "milliseconds": {name: summary(values) for name, values in times.items()},
        "alone_over_together": ratio(times[ALONE], times[TOGETHER]),
        "statistics": pipeline.method.statistics,
        "arithmetic": _arithmetic(pipeline, parts),
        "rounds": times,
    }


def arithmetic_of(pool: ModularNetwork, costs: Sequence[LayerCost]) -> float:
    """Return the multiply-adds of all students in one pass, as a share of those of the students one by one."""
    together = plan_cost(pool.routes.evaluation, costs, [1]).multiply_adds
    return together / (pool.routes.students * sum(cost.forward for cost in costs))


def differs(pool: ModularNetwork, students: Sequence[nn.Module], inputs: Tensor, precision: torch.dtype) -> float:
    """Return the greatest difference of a logit, relative to the largest one.

    Raises:
        AssertionError: it is too great.
    """
    together = pool_logits(pool, inputs)
    alone = torch.stack([_logits(student, inputs, precision) for student in students])
    deviation = float((together - alone).abs().max() / together.abs().max().clamp(min=1e-9))
    if not deviation <= TOLERANCE[precision]:
        raise AssertionError(f"one pass and single students differ by {deviation:.2g} of the largest logit")
    return deviation


def holdout_batches(splits: Splits, number: int, device: torch.device) -> list[Batch]:
    """Return at most this many full batches of the holdout, from equal parts of its order; texts have many lengths."""
    order = evaluation_order(splits.holdout)
    blocks = order.split(ROWS)
    whole = blocks[: len(order) // ROWS] or blocks
    number = min(number, len(whole))
    rows = torch.cat([whole[(2 * place + 1) * len(whole) // (2 * number)] for place in range(number)])
    return list(evaluation_batches(splits.holdout.take(rows), splits.normaliser, ROWS, device))


def _logits(student: nn.Module, inputs: Tensor, precision: torch.dtype) -> Tensor:
    with torch.no_grad(), lowered(precision, inputs.device):
        return full(student(inputs))


def _arithmetic(pipeline: Pipeline, parts: Parts) -> dict[str, float]:
    """Tell the arithmetic of one pass with running statistics as they are, and with those of a module shared."""
    paths, group_of = torch.tensor(parts.pool.routes.paths), parts.subsets.group_of
    found = {}
    kinds: tuple[Statistics, ...] = ("student", "shared")
    for kind in kinds:
        parts.pool.route(paths, group_of, kind)
        found[kind] = arithmetic_of(parts.pool, parts.costs)
    return {"as given": found[pipeline.method.statistics], "shared": found["shared"]}
