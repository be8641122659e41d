"""How long the runs of a comparison will take, from trainings of a few iterations on made-up data."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from cgl_ignite.bench.passes import ready
from cgl_ignite.bench.synthetic import made_up
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.display import NoScreen
from cgl_ignite.pipeline import run
from cgl_ignite.pipeline.assemble import divided
from cgl_ignite.pipeline.device import cpu_threads

__all__ = ["Load", "Speed", "forecast_seconds", "iteration_seconds", "measure_iteration", "measure_speed"]

EPOCHS, WHOLE = 3, 2
"""Of a measurement: its epochs, and the iterations of each before a last one with half of the rows."""
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
        short: how many of them have fewer rows, as the last ones of a pass.
        share: so many of the rows these have.
        evaluated: rows that all students are evaluated on, of all epochs and the test part.
        row_work: multiply-adds of all students on one of these rows.
    """

    epochs: int
    iterations: float
    work: float
    evaluated: int
    row_work: float
    short: float = 0
    share: float = 1.0


@dataclass(frozen=True)
class Speed:
    """What the parts of a run take, in seconds.

    Attributes:
        work: multiply-adds of the iteration that took ``iteration``.
        row: to evaluate all students on one row, of ``row_work`` multiply-adds.
        epoch: of what happens once an epoch, besides its evaluation.
        fixed: of a run: its start, its files and its figures.
        half: an iteration with half of the rows.
        start: what the first run of a process takes longer than the next one.
    """

    work: float
    iteration: float
    row_work: float
    row: float
    epoch: float
    fixed: float
    half: float
    start: float = 0.0


class Stopwatch(NoScreen):
    """Notes when the iterations of each epoch of each run end, and when the runs end."""

    def __init__(self) -> None:
        self.trainings: list[list[list[float]]] = []
        self.ends: list[float] = []

    def start(self, summary: Any) -> None:
        """Begin a run."""
        self.trainings.append([])

    def iteration(self, state: Any) -> None:
        """Note an iteration."""
        training = self.trainings[-1]
        if len(training) < state.epoch:
            training.append([])
        training[-1].append(time.perf_counter())

    def finish(self, result: Any, model: str | None = None) -> None:
        """Note the end of a run."""
        self.ends.append(time.perf_counter())

    @property
    def whole(self) -> float:
        """The seconds of an iteration with all rows."""
        return median(times[1] - times[0] for times in self._epochs())

    @property
    def half(self) -> float:
        """The seconds of the last iteration of an epoch."""
        return median(times[-1] - times[-2] for times in self._epochs())

    @property
    def gap(self) -> float:
        """The seconds from the last iteration of an epoch to the first one of the next."""
        return median(after[0] - before[-1] for training in self.trainings for before, after in pairwise(training))

    def _epochs(self) -> list[list[float]]:
        """Return all epochs but the first one of the first run, which is slower."""
        return [times for training in self.trainings for times in training][1:]


def measure_speed(pipeline: Pipeline, load: Load) -> Speed:
    """Train a pipeline for a few iterations on made-up data, twice, and time the second training."""
    small = _shortened(pipeline, load)
    with cpu_threads(pipeline.run.threads):
        begun = time.perf_counter()
        watch = _trained(small)
        parts = ready(small)
        parts.evaluate_holdout()
        since = time.perf_counter()
        parts.evaluate_holdout()
        row = (time.perf_counter() - since) / len(parts.splits.holdout)
    evaluation = row * len(parts.splits.holdout)
    epoch = max(0.0, watch.gap - watch.whole - evaluation)
    trained = EPOCHS * (WHOLE * watch.whole + watch.half + epoch + evaluation) + evaluation
    first, second = watch.ends
    return Speed(
        work=_work(small, pipeline, load),
        iteration=watch.whole,
        row_work=load.row_work,
        row=row,
        epoch=epoch,
        fixed=max(0.0, second - first - trained),
        half=watch.half,
        start=max(0.0, first - begun - (second - first)),
    )


def measure_iteration(pipeline: Pipeline, load: Load) -> tuple[float, float]:
    """Train a pipeline for a few iterations on made-up data; return the multiply-adds and the seconds of one."""
    small = _shortened(pipeline, load)
    with cpu_threads(pipeline.run.threads):
        watch = _trained(small.model_copy(update={"seeds": small.seeds[:1]}))
    return _work(small, pipeline, load), watch.whole


def _trained(small: Pipeline) -> Stopwatch:
    """Train a pipeline in a folder that is removed afterwards, and return its times."""
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        tracking = small.tracking.model_copy(update={"folder": Path(folder), "uri": None})
        run(small.model_copy(update={"tracking": tracking}), screen=watch)
    return watch


def _work(small: Pipeline, pipeline: Pipeline, load: Load) -> float:
    """Return the multiply-adds of an iteration of a shortened pipeline."""
    return load.work * small.optim.batch_size / pipeline.optim.batch_size


def _shortened(pipeline: Pipeline, load: Load) -> Pipeline:
    """Return a pipeline with a few rows of made-up data and, where an iteration has much work, a share of its batch."""
    share = min(1.0, MOST_WORK / load.work)
    batch = max(4, round(pipeline.optim.batch_size * share))
    seed, groups = pipeline.seeds[0], len(divided(pipeline, 2 * pipeline.method.students).sizes)
    drawn = made_up(pipeline)
    held_out = max(LEAST_EVALUATED, round(EVALUATED * share))
    rows = WHOLE * batch + batch // 2
    data = {"limit": rows * groups + held_out, "holdout": held_out, "test_limit": held_out}
    changes = {
        "data": drawn.data.model_copy(update=data),
        "optim": pipeline.optim.model_copy(update={"batch_size": batch}),
        "run": pipeline.run.model_copy(update={"epochs": EPOCHS, "passes_per_epoch": 1}),
        "distil": None,
        "seeds": [seed, seed + 1],
    }
    return drawn.model_copy(update=changes)


def forecast_seconds(
    loads: Mapping[str, Load], speeds: Sequence[Speed], slower: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Tell the seconds of each run from those of the cheapest and, if it was measured, of the dearest iteration.

    Between and beyond the two, times are a straight line over the multiply-adds.

    Args:
        loads: of the runs.
        speeds: of the cheapest and the dearest one.
        slower: so many times as long as that an iteration of some of the runs takes.

    Example:
        >>> loads = {"a": Load(2, 10, 1e9, 100, 1.0), "b": Load(2, 10, 3e9, 100, 1.0)}
        >>> speeds = [Speed(1e9, 0.1, 1.0, 0.01, 0.5, 2.0, 0.05), Speed(2e9, 0.15, 1.0, 0.01, 0.5, 2.0, 0.05)]
        >>> {name: round(seconds, 6) for name, seconds in forecast_seconds(loads, speeds).items()}
        {'a': 5.0, 'b': 6.0}
    """
    iteration, factors = iteration_seconds(speeds), slower or {}
    row = _line([(one.row_work, one.row) for one in speeds])
    epoch = _between([(one.work, one.epoch) for one in speeds])
    fixed = _between([(one.work, one.fixed) for one in speeds])
    constant = _between([(one.work, min(1.0, max(0.0, 2 * one.half / one.iteration - 1))) for one in speeds])
    return {
        name: factors.get(name, 1.0)
        * iteration(load.work)
        * (load.iterations - load.short * (1 - load.share) * (1 - constant(load.work)))
        + load.evaluated * row(load.row_work)
        + load.epochs * epoch(load.work)
        + fixed(load.work)
        for name, load in loads.items()
    }


def iteration_seconds(speeds: Sequence[Speed]) -> Callable[[float], float]:
    """Return the seconds of an iteration as a function of its multiply-adds."""
    return _line([(one.work, one.iteration) for one in speeds])


def _between(points: Sequence[tuple[float, float]]) -> Callable[[float], float]:
    """Return the line from the first to the last point, and the value of the nearer one beyond them."""
    places, values = zip(*sorted(points), strict=True)
    return lambda work: float(np.interp(work, places, values))


def _line(points: Sequence[tuple[float, float]]) -> Callable[[float], float]:
    """Return the line through the first and the last point; through the origin where that would begin below it."""
    (x, y), (other_x, other_y) = points[0], points[-1]
    slope = (other_y - y) / (other_x - x) if other_x > x else 0.0
    start = y - slope * x
    if slope <= 0 or start < 0:
        start, slope = 0.0, other_y / other_x
    return lambda work: start + slope * work
