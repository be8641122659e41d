"""The composition root: a pipeline becomes runs, one per seed, under one group of the tracker."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cgl_ignite.config.schema import Pipeline
from cgl_ignite.display import Screen
from cgl_ignite.distributed.launch import launched
from cgl_ignite.errors import InputError, Interrupted, escaped
from cgl_ignite.handlers.interruption import terminable
from cgl_ignite.pipeline.abandoned import close_abandoned
from cgl_ignite.pipeline.active import RunContext
from cgl_ignite.pipeline.data import RunData, read_data, refuse_changed_data
from cgl_ignite.pipeline.describe import group_info, run_info
from cgl_ignite.pipeline.device import cpu_threads, find_device
from cgl_ignite.pipeline.find import take_run
from cgl_ignite.pipeline.folder import RunFolder
from cgl_ignite.pipeline.follow import follow, meet, prepare
from cgl_ignite.pipeline.hand_over import sync_run
from cgl_ignite.pipeline.longer import longer_run
from cgl_ignite.pipeline.register import refuse_unfit_name, register_best
from cgl_ignite.pipeline.result import RunResult, results_markdown
from cgl_ignite.pipeline.train import run_seed
from cgl_ignite.tracking import (
    Group,
    RunInfo,
    Tracker,
    is_finished,
    locate,
    make_tracker,
    provenance,
    recorded_in,
    refuse_remote_database,
)

if TYPE_CHECKING:
    from cgl_ignite.distributed.peers import Peers

__all__ = ["run"]

REMEDY = "leave out --resume to begin anew"


def run(
    pipeline: Pipeline,
    *,
    resume: bool = False,
    reuse: bool = False,
    screen: Screen | None = None,
    tracker: Tracker | None = None,
    register: str | None = None,
    read: Callable[[Pipeline], RunData] = read_data,
    peers: Peers | None = None,
    tried: str | None = None,
) -> list[RunResult]:
    """Train a pool for every seed of a pipeline and hand over the selected student of each.

    Args:
        pipeline: what to run (:func:`cgl_ignite.load_pipeline`).
        resume: go on with the newest unfinished run of this pipeline and seed; a finished one returns its result.
            Without one, go on from a shorter training, or say why nothing can be resumed.
        reuse: the same, but begin without a word where there is no run of this pipeline and seed.
        screen: shows the training; None shows nothing.
        tracker: where runs are recorded; None opens the store of ``[tracking]``.
        register: make the selected student a version of the registered model of this name; of several seeds, the
            student with the highest holdout accuracy.
        read: reads the data.
        peers: the processes that train each pool together (:func:`cgl_ignite.distributed.peers.joined`); started by
            ``torchrun``, they find each other without. All call this function; the first of them gets the results.
        tried: the value that this training tries, which names its group of runs in the place of the seeds.

    Raises:
        InputError: something that the user gave is wrong.
        RunFailed: the training failed.
        Interrupted: Ctrl-C or SIGTERM; the state is saved.
    """
    if peers is None and launched():
        from cgl_ignite.distributed.peers import joined

        with joined() as peers:
            return run(
                pipeline, resume=resume, screen=screen, tracker=tracker, register=register, peers=peers, tried=tried
            )
    if peers is not None:
        meet(pipeline, peers)
        if not peers.first:
            follow(pipeline, peers)
            return []
    if register is not None:
        refuse_unfit_name(register)
    runs = _runs_folder(pipeline)
    warn: Callable[[str], None] = screen.note if screen else _print
    if tracker is None:
        store = refuse_remote_database(locate(pipeline.tracking.folder, pipeline.tracking.uri))
        tracker = make_tracker(store, warn)
    close_abandoned(runs, tracker, warn)
    results = _run_seeds(pipeline, runs, tracker, screen, warn, read, peers, tried, resume=resume, reuse=reuse)
    if register is not None:
        register_best(results, tracker, register, warn)
    return results


def _run_seeds(
    pipeline: Pipeline,
    runs: Path,
    tracker: Tracker,
    screen: Screen | None,
    warn: Callable[[str], None],
    read: Callable[[Pipeline], RunData],
    peers: Peers | None,
    tried: str | None,
    *,
    resume: bool,
    reuse: bool,
) -> list[RunResult]:
    """Run every seed, or go on with it, in one group of the tracker."""
    with ExitStack() as held:
        found = {seed: take_run(held, runs, pipeline, seed) if resume or reuse else None for seed in pipeline.seeds}
        done = {seed: run for seed, run in found.items() if run and run.complete}
        left = [seed for seed in found if seed not in done]
        device = find_device(pipeline.run.device)
        _, data = prepare(pipeline, left, device, peers, read)
        for again in filter(None, (found[seed] for seed in left)):
            refuse_changed_data(again.facts.get("data"), data.identity if data else {}, f"run {again.run_id}", REMEDY)
        known, source = _tracker_group(found), provenance()
        facts = {"data": data.identity if data else _identity(done.values()), "source": source}
        info = group_info(pipeline, facts, tried)
        group = _open_group(info, tracker, known, done.values(), warn, training=bool(left))
        results = _synced(pipeline, done, tracker, group.id if group else known, warn)
        if group is None:
            return [results[seed] for seed in pipeline.seeds]
        with _ending(group), cpu_threads(pipeline.run.threads):
            if data is not None:
                context = RunContext(
                    pipeline, data, device, runs, tracker, group.id, screen, warn, source=source, peers=peers
                )
                for seed in left:
                    begun = found[seed] or (longer_run(context, seed, held) if resume else None)
                    results[seed] = run_seed(context, seed, begun)
            group.describe(results_markdown([results[seed] for seed in pipeline.seeds]))
    return [_with(group, results[seed]) for seed in pipeline.seeds]


def _runs_folder(pipeline: Pipeline) -> Path:
    """Return the folder of all runs; it is not made yet.

    Raises:
        InputError: it cannot be made, or nothing can be written to it.
    """
    folder = pipeline.tracking.folder
    try:
        runs = folder.expanduser().absolute() / "runs"
        there = next(place for place in (runs, *runs.parents) if os.path.lexists(place))
        usable = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
        runs.exists()  # a name that is too long is an error here
    except (OSError, RuntimeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{str(folder)!r} cannot be used ({reason})", key="tracking.folder") from error
    if not usable:
        raise InputError(f"{str(folder)!r} cannot be used: {there} is no folder to write to", key="tracking.folder")
    return runs


@contextmanager
def _ending(group: Group) -> Iterator[None]:
    """Give the group the status that is true; between two runs a signal acts at once."""
    try:
        with terminable():
            yield
    except (Interrupted, KeyboardInterrupt):
        group.close("KILLED")
        raise
    except BaseException:
        group.close("FAILED")
        raise
    group.close("FINISHED")


def _open_group(
    info: RunInfo,
    tracker: Tracker,
    known: str | None,
    done: Iterable[RunFolder],
    warn: Callable[[str], None],
    *,
    training: bool,
) -> Group | None:
    """Open the group of the runs, unless there is nothing to train and nothing that the tracker has missed."""
    here = any(recorded_in(run.path, tracker) for run in done)
    if not training and (not here or is_finished(tracker, known, warn)):
        return None
    return Group(tracker, info, known, warn)


def _synced(
    pipeline: Pipeline,
    done: Mapping[int, RunFolder],
    tracker: Tracker,
    parent: str | None,
    warn: Callable[[str], None],
) -> dict[int, RunResult]:
    """Give the tracker what it has missed of finished runs, and return their results by seed."""
    return {
        seed: sync_run(run, tracker, run_info(pipeline, seed, parent, run.facts), warn) for seed, run in done.items()
    }


def _with(group: Group, result: RunResult) -> RunResult:
    """Count the group as a part of the record of its runs."""
    return result if group.complete else replace(result, tracked=False)


def _identity(done: Iterable[RunFolder]) -> Mapping[str, str] | None:
    """Return what finished runs have read."""
    return next((run.facts["data"] for run in done if run.facts.get("data")), None)


def _tracker_group(found: Mapping[int, RunFolder | None]) -> str | None:
    """Return the group that the runs to resume belong to."""
    groups = [again.facts.get("group") for again in found.values() if again]
    return next((str(group) for group in groups if group), None)


def _print(text: str) -> None:
    sys.stderr.write(f"{escaped(text)}\n")
