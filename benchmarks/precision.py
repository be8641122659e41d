"""What half the bytes gain: the passes of an iteration in bfloat16 beside those in float32."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import torch

from cgl_ignite.bench.figures import ratio, summary
from cgl_ignite.bench.passes import PlannedPass, ready, repetitions, typical_batch
from cgl_ignite.bench.progress import take_turns
from cgl_ignite.bench.race import make_clock
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.pipeline.data import read_data
from cgl_ignite.pipeline.device import cpu_threads, find_device

__all__ = ["measure_precision"]

PRECISIONS = ("bfloat16", "float32")
MOST_PASSES = 100


def measure_precision(pipeline: Pipeline, rounds: int, clock: str) -> dict[str, Any]:
    """Time the planned passes of an iteration and their update in both precisions, in turns, on one batch.

    Args:
        pipeline: the setting; its own precision does not count.
        rounds: that count.
        clock: ``wall`` or ``cpu``, see :func:`cgl_ignite.bench.race.make_clock`.
    """
    device = find_device(pipeline.run.device)
    seconds = make_clock(clock, device)
    with cpu_threads(pipeline.run.threads):
        data, passes = read_data(pipeline), {}
        for precision in PRECISIONS:
            run = pipeline.run.model_copy(update={"precision": precision})
            parts = ready(pipeline.model_copy(update={"run": run}), data)
            passes[precision] = PlannedPass(pipeline, parts, typical_batch(parts.batches), parts.optimizer)
            passes[precision](1)
        since = seconds()
        passes["float32"](2)
        numbers = range(3, 3 + repetitions(seconds() - since, MOST_PASSES))
        ways = {name: partial(_work_off, planned, numbers) for name, planned in passes.items()}
        taken = take_turns(ways, rounds, seconds)
        threads = torch.get_num_threads()
    times = {name: [1e3 * second / len(numbers) for second in values] for name, values in taken.items()}
    return {
        "batch_size": pipeline.optim.batch_size,
        "students": pipeline.method.students,
        "device": str(device),
        "threads": threads,
        "clock": clock,
        "milliseconds": {name: summary(values) for name, values in times.items()},
        "bfloat16_over_float32": ratio(times["bfloat16"], times["float32"]),
        "rounds": times,
    }


def _work_off(planned: PlannedPass, numbers: Iterable[int]) -> None:
    for number in numbers:
        planned(number)
