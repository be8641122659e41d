"""What a comparison will cost, told before it runs: its cells, their work, their time, and what fits into a budget."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from cgl_ignite.bench.timing import (
    Load,
    Speed,
    forecast_seconds,
    iteration_seconds,
    measure_iteration,
    measure_speed,
)
from cgl_ignite.cli.frame import duration
from cgl_ignite.cli.rows import ChosenRows
from cgl_ignite.comparison.budget import DataForm, budgets, with_epochs
from cgl_ignite.comparison.datasets import rows_by_data
from cgl_ignite.data import InputSpec, Look, input_of, look_at
from cgl_ignite.errors import InputError
from cgl_ignite.pipeline.assemble import divided

if TYPE_CHECKING:
    from cgl_ignite.analysis.comparison import Cost
    from cgl_ignite.config.schema import Data, Pipeline

__all__ = ["cells_lines", "read_duration"]

DEARER = 1.5
"""So many times the work of the cheapest row the dearest one must have to be measured, too."""
SLOWEST = 30.0
"""Seconds: an iteration that would take longer is not measured, but derived."""


def read_duration(text: str) -> float:
    """Read a time such as ``2h``, ``1h30m`` or ``45m`` in seconds.

    Raises:
        InputError: it is none.

    Example:
        >>> read_duration("1h30m")
        5400.0
    """
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text.strip())
    if not text.strip() or found is None:
        raise InputError(f"must be a time such as 2h, 1h30m or 45m, not {text!r}")
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return 3600 * hours + 60 * minutes + seconds


def cells_lines(rows: ChosenRows, seeds: int, *, measured: bool, budget: float | None) -> Iterator[str]:
    """Yield what a comparison of these rows costs as lines of text.

    Args:
        measured: whether the time is measured and told.
        budget: seconds; how many cells fit into them.
    """
    count = len(rows.bound.pipelines)
    yield f"Comparison: {count} rows x {seeds} {'seed' if seeds == 1 else 'seeds'} = {count * seeds} cells"
    loads = _loads(rows)
    if len(loads) < count:
        yield "their cost is known when the files of the data are there"
        return
    since = time.perf_counter()
    seconds, start = _seconds(rows.bound.pipelines, loads) if measured else ({}, 0.0)
    width = max(map(len, loads))
    yield f"{'row':<{width}}{'epochs':>8}{'iterations':>12}{'multiply-adds':>15}{'time' if seconds else '':>10}"
    for name, load in loads.items():
        told = duration(seconds[name]) if seconds else ""
        yield f"{name:<{width}}{load.epochs:>8}{load.iterations:>12,.0f}{load.iterations * load.work:>15.3g}{told:>10}"
    yield f"multiply-adds of all cells: {seeds * sum(load.iterations * load.work for load in loads.values()):.3g}"
    if seconds:
        took = time.perf_counter() - since
        total = start + seeds * sum(seconds.values())
        yield f"time of all cells, one at a time: {duration(total)} (measured in {took:.0f} s)"
    if seconds and budget is not None:
        yield _fitting(rows, seconds, seeds, budget, start)


def _loads(rows: ChosenRows) -> dict[str, Load]:
    """Count what a run of each row does; rows whose data are not known before they are read are left out."""
    found: dict[str, Load] = {}
    for group in rows_by_data(rows.bound.pipelines).values():
        data = next(iter(group.values())).data
        look, spec, classes = _look(data)
        parts = None
        with suppress(InputError):
            parts = look.rows(data.holdout, data.limit, data.test_limit)
        if parts is not None:
            train, holdout, test = parts
            costs = budgets(group, DataForm(spec, classes, train), rows.equal)
            found |= {name: _load(group[name], cost, train, holdout, test) for name, cost in costs.items()}
    return {name: found[name] for name in rows.bound.pipelines if name in found}


def _look(data: Data) -> tuple[Look, InputSpec, int]:
    """Tell what is known of data before they are read, the form of their inputs, and the number of their classes."""
    look = look_at(data.kind, data.options, files=True)
    spec, classes, _ = input_of(data.kind, data.encoding, look)
    return look, spec, classes


def _load(pipeline: Pipeline, cost: Cost, train: int, holdout: int, test: int) -> Load:
    """Count what a run does, from its cost; a distillation counts as iterations of equal work."""
    subsets, batch = divided(pipeline, train), pipeline.optim.batch_size
    work = cost.multiply_adds * len(subsets.sizes) * batch
    distil = with_epochs(pipeline, cost.epochs).distil
    epochs = cost.epochs + (0 if distil is None else distil.epochs)
    rest = max(subsets.sizes) % batch
    return Load(
        epochs=epochs,
        iterations=cost.work / work,
        work=work,
        evaluated=epochs * holdout + test,
        row_work=cost.evaluation,
        short=cost.epochs * cost.passes if rest > 1 else 0,
        share=rest / batch if rest > 1 else 1.0,
    )


def _seconds(pipelines: Mapping[str, Pipeline], loads: Mapping[str, Load]) -> tuple[dict[str, float], float]:
    """Measure the cheapest row of each backbone and, if it does not take too long, the dearest one and other presets.

    Returns the seconds of a run of each row, and those that the first run of a process takes longer.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for rows in rows_by_data(pipelines).values():
        inputs = str(_look(next(iter(rows.values())).data)[1])
        for name, pipeline in rows.items():
            groups.setdefault((pipeline.backbone.model_dump_json(), inputs), []).append(name)
    seconds: dict[str, float] = {}
    start = 0.0
    for names in groups.values():
        ordered = sorted(names, key=lambda name: loads[name].work)
        cheapest, dearest = ordered[0], ordered[-1]
        speeds, slower = [measure_speed(pipelines[cheapest], loads[cheapest])], {}
        ratio = loads[dearest].work / loads[cheapest].work
        if ratio > DEARER and speeds[0].iteration * ratio < SLOWEST:
            speeds.append(measure_speed(pipelines[dearest], loads[dearest]))
            slower = _slower({name: pipelines[name] for name in ordered}, loads, speeds)
        seconds |= forecast_seconds({name: loads[name] for name in names}, speeds, slower)
        start = max(start, *(speed.start for speed in speeds))
    return seconds, start


def _slower(pipelines: Mapping[str, Pipeline], loads: Mapping[str, Load], speeds: Sequence[Speed]) -> dict[str, float]:
    """Measure a row of each preset that neither the cheapest nor the dearest row has.

    Returns how many times as long as derived from these two an iteration takes, for all rows of these presets: in small
    networks the number of calls counts, and not the multiply-adds.
    """
    presets: dict[str, list[str]] = {}
    for name, pipeline in pipelines.items():
        presets.setdefault(pipeline.method.preset, []).append(name)
    ordered, derived = list(pipelines), iteration_seconds(speeds)
    known = {pipelines[name].method.preset for name in (ordered[0], ordered[-1])}
    factors: dict[str, float] = {}
    for preset, names in presets.items():
        if preset not in known:
            work, seconds = measure_iteration(pipelines[names[0]], loads[names[0]])
            factors |= dict.fromkeys(names, seconds / derived(work))
    return factors


def _fitting(rows: ChosenRows, seconds: Mapping[str, float], seeds: int, budget: float, start: float) -> str:
    """Say how many cells fit into a budget, in the order in which they run."""
    groups: Sequence[Mapping[str, object]] = list(rows_by_data(rows.bound.pipelines).values())
    order = [name for group in groups for _ in range(seeds) for name in group]
    done, spent = 0, start
    for name in order:
        spent += seconds[name]
        if spent > budget:
            break
        done += 1
    if done == len(order):
        return f"all {done} cells fit into {duration(budget)}"
    share = max(0.0, budget - start) / sum(seconds[name] for name in order)
    return f"{done} of {len(order)} cells fit into {duration(budget)}; all of them with {share:.2g} times the epochs"
