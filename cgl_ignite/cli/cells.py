"""What a comparison will cost, told before it runs: its cells, their work, their time, and what fits into a budget."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from cgl_ignite.bench.timing import Load, forecast_seconds, measure_speed
from cgl_ignite.cli.frame import duration
from cgl_ignite.cli.preview import Preview
from cgl_ignite.cli.rows import ChosenRows
from cgl_ignite.comparison.budget import with_epochs, with_passes
from cgl_ignite.comparison.datasets import rows_by_data
from cgl_ignite.errors import InputError

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
    previews = _previews(rows)
    loads = {name: load for name, preview in previews.items() if (load := _load(preview))}
    if len(loads) < len(previews):
        yield "their cost is known when the files of the data are there"
        return
    since = time.perf_counter()
    seconds = _seconds(previews, loads) if measured else {}
    width = max(map(len, loads))
    yield f"{'row':<{width}}{'epochs':>8}{'iterations':>12}{'multiply-adds':>15}{'time' if seconds else '':>10}"
    for name, load in loads.items():
        told = duration(seconds[name]) if seconds else ""
        yield f"{name:<{width}}{load.epochs:>8}{load.iterations:>12,.0f}{load.iterations * load.work:>15.3g}{told:>10}"
    yield f"multiply-adds of all cells: {seeds * sum(load.iterations * load.work for load in loads.values()):.3g}"
    if seconds:
        took = time.perf_counter() - since
        yield f"time of all cells, one at a time: {duration(seeds * sum(seconds.values()))} (measured in {took:.0f} s)"
    if seconds and budget is not None:
        yield _fitting(rows, seconds, seeds, budget)


def _previews(rows: ChosenRows) -> dict[str, Preview]:
    """Preview all rows, at the length that equal steps or cost give them."""
    previews: dict[str, Preview] = {}
    for group in rows_by_data(rows.bound.pipelines).values():
        measured: dict[str, Preview] = {}
        found = {}
        for name, pipeline in group.items():
            kind = pipeline.backbone.model_dump_json()
            first = measured.get(kind)
            found[name] = Preview.of(pipeline, first.costs, first.look) if first else Preview.of(pipeline)
            measured.setdefault(kind, found[name])
        previews |= _equal(found, rows.equal)
    return {name: previews[name] for name in rows.bound.pipelines}


def _equal(found: Mapping[str, Preview], equal: str) -> dict[str, Preview]:
    if equal == "epochs" or any(preview.iterations is None for preview in found.values()):
        return dict(found)
    amounts = {name: one.pipeline.run.epochs * (one.iterations or 1) for name, one in found.items()}
    if equal == "cost":
        amounts = {name: round(count * found[name].work) for name, count in amounts.items()}
    most = max(amounts.values())
    return {name: _longer(one, most / amounts[name], equal) for name, one in found.items()}


def _longer(preview: Preview, factor: float, equal: str) -> Preview:
    one = preview.pipeline
    if equal == "cost":
        return replace(preview, pipeline=with_epochs(one, max(1, round(one.run.epochs * factor))))
    return replace(preview, pipeline=with_passes(one, -(-round(one.run.passes_per_epoch * factor * 1000) // 1000)))


def _load(preview: Preview) -> Load | None:
    """Count what a run does; None where the rows are not known. A distillation counts as iterations of equal work."""
    pipeline, parts = preview.pipeline, preview.rows
    if preview.iterations is None or parts is None:
        return None
    train, holdout, test = parts
    forward = sum(cost.forward for cost in preview.costs)
    iterations: float = pipeline.run.epochs * preview.iterations
    epochs = pipeline.run.epochs
    if pipeline.distil is not None:
        iterations += pipeline.distil.epochs * train * preview.distillation / preview.work
        epochs += pipeline.distil.epochs
    evaluated = epochs * holdout + test
    return Load(epochs, iterations, preview.work, evaluated, pipeline.method.students * forward)


def _seconds(previews: Mapping[str, Preview], loads: Mapping[str, Load]) -> dict[str, float]:
    """Measure the cheapest row of each backbone and, if it does not take too long, the dearest one."""
    groups: dict[tuple[str, str], list[str]] = {}
    for name, preview in previews.items():
        key = (preview.pipeline.backbone.model_dump_json(), str(preview.spec))
        groups.setdefault(key, []).append(name)
    seconds: dict[str, float] = {}
    for names in groups.values():
        ordered = sorted(names, key=lambda name: loads[name].work)
        cheapest, dearest = ordered[0], ordered[-1]
        speeds = [measure_speed(previews[cheapest].pipeline, loads[cheapest])]
        ratio = loads[dearest].work / loads[cheapest].work
        if ratio > DEARER and speeds[0].iteration * ratio < SLOWEST:
            speeds.append(measure_speed(previews[dearest].pipeline, loads[dearest]))
        seconds |= forecast_seconds({name: loads[name] for name in names}, speeds)
    return seconds


def _fitting(rows: ChosenRows, seconds: Mapping[str, float], seeds: int, budget: float) -> str:
    """Say how many cells fit into a budget, in the order in which they run."""
    groups: Sequence[Mapping[str, object]] = list(rows_by_data(rows.bound.pipelines).values())
    order = [name for group in groups for _ in range(seeds) for name in group]
    done, spent = 0, 0.0
    for name in order:
        spent += seconds[name]
        if spent > budget:
            break
        done += 1
    if done == len(order):
        return f"all {done} cells fit into {duration(budget)}"
    share = budget / sum(seconds[name] for name in order)
    return f"{done} of {len(order)} cells fit into {duration(budget)}; all of them with {share:.2g} times the epochs"
