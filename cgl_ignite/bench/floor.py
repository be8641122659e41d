"""How near the planned passes come to their arithmetic: the work of the plan at the speed of its layers alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean, median
from typing import Any

import torch

from cgl_ignite.bench.figures import ratio, summary
from cgl_ignite.bench.layers import LoneLayer, Seconds, lone_layers
from cgl_ignite.bench.passes import PlannedPass, ready, repetitions, typical_batch
from cgl_ignite.bench.progress import rounds_done
from cgl_ignite.bench.race import make_clock
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.pipeline.assemble import Parts, blueprint
from cgl_ignite.pipeline.device import cpu_threads, find_device, find_precision
from cgl_ignite.pool import Plan, modular_layers
from cgl_ignite.pool.cost import LayerCost, measure_layers, plan_cost

__all__ = ["floor_of", "measure_floor"]

MOST_ITERATIONS = 16
PASS, FLOOR = "planned pass", "arithmetic floor"


def measure_floor(pipeline: Pipeline, rounds: int, clock: str) -> dict[str, Any]:
    r"""Time the planned passes of real iterations, in turns with the layers of the pool alone.

    A planned pass is the forward pass of an iteration over its plan and the backward pass of its loss, without data,
    update and handlers. Its floor is what the same rows would take if every layer ran all the time as fast as it does
    alone, at its best batch size:

    .. math:: \sum_{n \in \text{plan}} \text{rows}(n) \cdot s_{l(n)},

    with the seconds s per row of the layer of node n, forward, or forward and backward where a gradient is wanted.

    Args:
        pipeline: the setting; paths and sub-groups are those of its first seed.
        rounds: how often all of them take turns.
        clock: ``wall`` or ``cpu``, see :func:`cgl_ignite.bench.race.make_clock`.
    """
    device = find_device(pipeline.run.device)
    seconds = make_clock(clock, device)
    with cpu_threads(pipeline.run.threads):
        parts = ready(pipeline)
        planned = PlannedPass(pipeline, parts, typical_batch(parts.batches))
        layers = _layers(pipeline, parts, planned, clock)
        iterations = range(1, 1 + _iterations(planned, clock, device))
        plans = [planned.plan(iteration) for iteration in iterations]
        passes: list[float] = []
        alone: list[list[Seconds]] = []
        for done in range(1, rounds + 1):
            since = seconds()
            for iteration in iterations:
                planned(iteration)
            passes.append((seconds() - since) / len(iterations))
            alone.append([layer.time(seconds) for layer in layers])
            rounds_done(done, rounds)
        threads = torch.get_num_threads()
    floors = [fmean(floor_of(plan, planned.batch.sizes, costs) for plan in plans) for costs in alone]
    return {
        "students": pipeline.method.students,
        "batch_size": pipeline.optim.batch_size,
        "batches_per_chunk": parts.batches_per_chunk,
        "device": str(device),
        "threads": threads,
        "clock": clock,
        "iterations_per_round": len(iterations),
        "inputs_per_iteration": planned.batch.inputs.numel(),
        "milliseconds": {name: summary(_milli(values)) for name, values in ((PASS, passes), (FLOOR, floors))},
        "pass_over_floor": ratio(passes, floors),
        **_work(planned, plans, iterations, [layer.cost for layer in layers]),
        "layers": [_row(layer, times) for layer, times in zip(layers, zip(*alone, strict=True), strict=True)],
        "rounds": {PASS: _milli(passes), FLOOR: _milli(floors)},
    }


def floor_of(plan: Plan, sizes: Sequence[int], seconds: Sequence[Seconds]) -> float:
    """Add up the seconds of a plan's rows.

    Args:
        plan: calls by layer.
        sizes: rows of each batch.
        seconds: of one row, for each layer.
    """
    return sum(
        sum(sizes[batch] for batch in call.batches) * (own.both if call.gradient else own.forward)
        for calls, own in zip(plan.layers, seconds, strict=True)
        for call in calls
    )


def _layers(pipeline: Pipeline, parts: Parts, planned: PlannedPass, clock: str) -> list[LoneLayer]:
    """Build the layers alone, for inputs of the length that the batch has."""
    backbone, _ = blueprint(pipeline, parts.splits.spec, len(parts.splits.classes))
    builders = modular_layers(backbone)
    precision = find_precision(pipeline)
    inputs = planned.batch.inputs
    costs = measure_layers(builders, replace(parts.splits.spec, shape=tuple(inputs.shape[1:])), precision)
    seconds = make_clock(clock, inputs.device)
    return list(lone_layers(builders, costs, inputs, max(planned.batch.sizes), precision, seconds))


def _iterations(planned: PlannedPass, clock: str, device: torch.device) -> int:
    """Warm up, and choose how many iterations make a round."""
    seconds = make_clock(clock, device)
    planned(1)
    since = seconds()
    planned(2)
    return repetitions(seconds() - since, MOST_ITERATIONS)


def _work(
    planned: PlannedPass, plans: Sequence[Plan], iterations: Sequence[int], costs: Sequence[LayerCost]
) -> Mapping[str, Any]:
    """Count the multiply-adds of a mean iteration, with shared prefixes once and as often as they are needed."""
    sizes = planned.batch.sizes
    once = fmean(plan_cost(plan, costs, sizes).multiply_adds for plan in plans)
    free, backward = (sum(getattr(cost, name) for cost in costs) for name in ("forward", "backward"))
    units = [unit for iteration in iterations for unit in planned.units(iteration)]
    work = sum(sizes[unit.batch] * (free + backward * unit.gradient) for unit in units) / len(iterations)
    return {"multiply_adds": {PASS: once, "without sharing": work}, "saved_by_sharing": 1 - once / work}


def _row(layer: LoneLayer, times: Sequence[Seconds]) -> dict[str, Any]:
    """Tell what a layer reaches alone."""
    cost = layer.cost
    forward, both = median(time.forward for time in times), median(time.both for time in times)
    return {
        "output": list(cost.output),
        "parameters": cost.parameters,
        "multiply_adds": {"forward": cost.forward, "both": cost.forward + cost.backward},
        "rows": {"forward": layer.rows[False], "both": layer.rows[True]},
        "microseconds_per_row": {"forward": 1e6 * forward, "both": 1e6 * both},
        "multiply_adds_per_second": {"forward": cost.forward / forward, "both": (cost.forward + cost.backward) / both},
    }


def _milli(seconds: Sequence[float]) -> list[float]:
    return [1e3 * second for second in seconds]
