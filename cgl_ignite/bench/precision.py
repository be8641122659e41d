"""What half the bytes gain: the passes of an iteration in bfloat16 beside those in float32."""

from __future__ import annotations

from typing import Any

import torch

from cgl_ignite.bench.figures import ratio, summary
from cgl_ignite.bench.passes import PlannedPass, ready, repetitions, typical_batch
from cgl_ignite.bench.progress import rounds_done
from cgl_ignite.bench.race import make_clock
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.pipeline.assemble import read_data
from cgl_ignite.pipeline.device import find_device, lend_cpu

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
    with lend_cpu(pipeline.run.threads):
        source, passes = read_data(pipeline), {}
        for precision in PRECISIONS:
            run = pipeline.run.model_copy(update={"precision": precision})
            parts = ready(pipeline.model_copy(update={"run": run}), source)
            passes[precision] = PlannedPass(pipeline, parts, typical_batch(parts.batches), parts.optimizer)
            passes[precision](1)
        since = seconds()
        passes["float32"](2)
        times: dict[str, list[float]] = {name: [] for name in PRECISIONS}
        numbers = range(3, 3 + repetitions(seconds() - since, MOST_PASSES))
        for done in range(1, rounds + 1):
            for precision, planned in passes.items():
                since = seconds()
                for number in numbers:
                    planned(number)
                times[precision].append(1e3 * (seconds() - since) / len(numbers))
            rounds_done(done, rounds)
        threads = torch.get_num_threads()
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
