"""How long the runs of a comparison will take, from trainings of a few iterations on made-up data."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median
from typing import Any

from cgl_ignite.bench.passes import ready
from cgl_ignite.bench.synthetic import made_up
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.display import NoScreen
from cgl_ignite.pipeline import run
from cgl_ignite.pipeline.assemble import divided
from cgl_ignite.pipeline.device import cpu_threads

__all__ = ["Load", "Speed", "forecast_seconds", "measure_speed"]

EPOCHS, ITERATIONS = 3, 3
MOST_WORK = 2e10
"""So many multiply-adds an iteration of a measurement may have, or its batches are made smaller."""
EVALUATED, LEAST_EVALUATED = 256, 16
"""Rows of the holdout, and at least as many where the batch is made smaller."""


@dataclass(frozen=True)
class Load:
    """What a run has to do.

    Attributes:
        iterations: of the whole training.
        work: multiply-adds of one of them.
        evaluated: rows that all students are evaluated on, of all epochs and the test part.
        row_work: multiply-adds of all students on one of these rows.
    """

    epochs: int
    iterations: float
    work: float
    evaluated: int
    row_work: float


@dataclass(frozen=True)
class Speed:
    """What the parts of a run take, in seconds.

    Attributes:
        work: multiply-adds of the iteration that took ``iteration``.
        row: to evaluate all students on one row, of ``row_work`` multiply-adds.
        epoch: of what happens once an epoch, besides its evaluation.
        fixed: of a run: its start, its files and its figures.
    """

    work: float
    iteration: float
    row_work: float
    row: float
    epoch: float
    fixed: float


class Stopwatch(NoScreen):
    """Notes when iterations, by epoch, and runs end."""

    def __init__(self) -> None:
        self.iterations: list[tuple[int, float]] = []
        self.runs: list[float] = []

    def iteration(self, state: Any) -> None:
        """Note an iteration."""
        self.iterations.append((state.epoch, time.perf_counter()))

    def finish(self, result: Any, model: str | None = None) -> None:
        """Note a run."""
        self.runs.append(time.perf_counter())

    @property
    def steps(self) -> list[float]:
        """The seconds of each iteration that follows another one of its epoch."""
        return [after - before for (one, before), (other, after) in pairwise(self.iterations) if one == other]

    @property
    def gaps(self) -> list[float]:
        """The seconds from the last iteration of an epoch to the first one of the next."""
        pairs = pairwise(self.iterations)
        return [after - before for (one, before), (other, after) in pairs if other == one + 1]


def measure_speed(pipeline: Pipeline, load: Load) -> Speed:
    """Train a pipeline for a few iterations on made-up data, twice, and time the second training."""
    share = min(1.0, MOST_WORK / load.work)
    small = _shortened(pipeline, share)
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as folder, cpu_threads(pipeline.run.threads):
        tracking = small.tracking.model_copy(update={"folder": Path(folder), "uri": None})
        small = small.model_copy(update={"tracking": tracking})
        run(small, screen=watch)
        parts = ready(small)
        parts.evaluate_holdout()
        since = time.perf_counter()
        parts.evaluate_holdout()
        row = (time.perf_counter() - since) / len(parts.splits.holdout)
    iteration = median(watch.steps[len(watch.steps) // 2 :])
    evaluation = row * len(parts.splits.holdout)
    epoch = max(0.0, median(watch.gaps) - iteration - evaluation)
    first, second = watch.runs
    trained = EPOCHS * (ITERATIONS * iteration + epoch + evaluation)
    return Speed(
        load.work * share, iteration, load.row_work, row, epoch, max(0.0, second - first - trained - evaluation)
    )


def _shortened(pipeline: Pipeline, share: float) -> Pipeline:
    """Return a pipeline with a few rows of made-up data, and a share of its batch."""
    batch = max(2, round(pipeline.optim.batch_size * share))
    seed, groups = pipeline.seeds[0], len(divided(pipeline, 2 * pipeline.method.students).sizes)
    drawn = made_up(pipeline)
    held_out = max(LEAST_EVALUATED, round(EVALUATED * share))
    data = {"limit": ITERATIONS * batch * groups + held_out, "holdout": held_out, "test_limit": held_out}
    changes = {
        "data": drawn.data.model_copy(update=data),
        "optim": pipeline.optim.model_copy(update={"batch_size": batch}),
        "run": pipeline.run.model_copy(update={"epochs": EPOCHS, "passes_per_epoch": 1}),
        "distil": None,
        "seeds": [seed, seed + 1],
    }
    return drawn.model_copy(update=changes)


def forecast_seconds(loads: Mapping[str, Load], speeds: Sequence[Speed]) -> dict[str, float]:
    """Tell the seconds of each run from those of the cheapest and, if it was measured, of the dearest iteration.

    Between and beyond the two, times are a straight line over the multiply-adds.

    Example:
        >>> loads = {"a": Load(2, 10, 1e9, 100, 1.0), "b": Load(2, 10, 3e9, 100, 1.0)}
        >>> speeds = [Speed(1e9, 0.1, 1.0, 0.01, 0.5, 2.0), Speed(2e9, 0.15, 1.0, 0.01, 0.5, 2.0)]
        >>> {name: round(seconds, 6) for name, seconds in forecast_seconds(loads, speeds).items()}
        {'a': 5.0, 'b': 6.0}
    """
    iteration = _line([(one.work, one.iteration) for one in speeds])
    row = _line([(one.row_work, one.row) for one in speeds])
    epoch, fixed = fmean(one.epoch for one in speeds), fmean(one.fixed for one in speeds)
    return {
        name: load.iterations * iteration(load.work) + load.evaluated * row(load.row_work) + load.epochs * epoch + fixed
        for name, load in loads.items()
    }


def _line(points: Sequence[tuple[float, float]]) -> Callable[[float], float]:
    """Return the line through the first and the last point; through the origin where that would begin below it."""
    (x, y), (other_x, other_y) = points[0], points[-1]
    slope = (other_y - y) / (other_x - x) if other_x > x else 0.0
    start = y - slope * x
    if slope <= 0 or start < 0:
        start, slope = 0.0, other_y / other_x
    return lambda work: start + slope * work
