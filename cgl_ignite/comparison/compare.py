"""The way into a comparison: every method with every seed, one run each, under one group of the tracker."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from typing import Any

from cgl_ignite.catalogue import try_weights
from cgl_ignite.comparison.cells import ComparisonFolder, identify
from cgl_ignite.comparison.claims import refuse_separate_locks
from cgl_ignite.comparison.comparison import Comparison
from cgl_ignite.comparison.executor import MakeExecutor
from cgl_ignite.comparison.report import ComparisonReport
from cgl_ignite.comparison.workers import worker_pool
from cgl_ignite.config.equal import read_equal
from cgl_ignite.config.rows import Place
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.display import Board, NoBoard, Screen
from cgl_ignite.errors import InputError
from cgl_ignite.pipeline.device import find_device
from cgl_ignite.pipeline.folder import Busy
from cgl_ignite.tracking import Tracker, locate, make_tracker, refuse_remote_database

__all__ = ["compare"]


def compare(
    pipelines: Mapping[str, Pipeline],
    seeds: Sequence[int],
    board: Board | None = None,
    *,
    equal: str = "epochs",
    jobs: int | None = None,
    executor: MakeExecutor | None = None,
    join: bool = False,
    screen: Screen | None = None,
    deviations: Mapping[str, Mapping[str, Any]] | None = None,
    places: Mapping[str, Place] | None = None,
    paper: str | None = None,
    tracker: Tracker | None = None,
) -> ComparisonReport:
    """Train every method with every seed, and run them against each other.

    A run that is finished is not repeated, and one that was stopped goes on from its checkpoint. A run that fails
    does not stop the others.

    Args:
        pipelines: by the name of the row: methods, equal in all else (:func:`cgl_ignite.catalogue.bind_methods`), or
            any other rows.
        seeds: of the runs of each row.
        board: shows how far it is; None shows nothing.
        equal: what all methods have the same amount of (:func:`cgl_ignite.config.equal.read_equal`).
        jobs: runs at a time; more than one run in child processes. None is one, or as many as the executor allows.
        executor: makes what works off the runs elsewhere (:func:`cgl_ignite.comparison.cluster.cluster_executor`).
        join: take part in the comparison if another process leads it, and end with the same report.
        screen: shows a single run, with ``jobs = 1``.
        deviations: what a method changes in the settings that all share, for the table.
        places: where each row stands, if rows are more than methods (:func:`cgl_ignite.catalogue.bind_rows`).
        paper: the table or figure of the paper whose numbers stand beside the measured ones.
        tracker: where runs are recorded, with ``jobs = 1`` and without an executor; None opens the store of
            ``[tracking]``, as each other process does.

    Raises:
        InputError: something that the user gave is wrong, such as a ``tracker`` for several jobs.
        ValueError: ``equal`` is nothing that rows can have the same amount of.
        Interrupted: Ctrl-C or SIGTERM; the state is saved, and the same call goes on.
    """
    if tracker is not None:
        _refuse_other_processes(jobs, executor)
    equal = read_equal(equal)
    first = next(iter(pipelines.values()))
    home = first.tracking.folder.expanduser().absolute()
    shared_by_machines = executor is not None
    if executor is None:
        device, cells = find_device(first.run.device), len(pipelines) * len(seeds)
        executor = worker_pool(min(jobs or 1, cells), device) if (jobs or 1) > 1 else None
        jobs = jobs or 1
    for pipeline in pipelines.values():
        try_weights(pipeline, fetch=True)
    board = board or NoBoard()
    if tracker is None:
        store = refuse_remote_database(locate(first.tracking.folder, first.tracking.uri))
        tracker = make_tracker(store, board.note)
    place, name = home / "comparisons", identify(pipelines, seeds, equal)
    if join or shared_by_machines:
        refuse_separate_locks(place)
    folder = ComparisonFolder(place / name, own=False)
    comparison = Comparison(dict(pipelines), list(seeds), equal, home / "runs", folder, board, tracker)
    comparison.deviations, comparison.places, comparison.paper = deviations or {}, places or {}, paper
    return _lead_or_help(comparison, partial(ComparisonFolder.opened, place, name), jobs, screen, executor, join=join)


def _refuse_other_processes(jobs: int | None, executor: MakeExecutor | None) -> None:
    """Refuse to give a tracker of the caller to other processes."""
    if executor is not None or (jobs or 1) > 1:
        where = (
            f"the {jobs} child processes; take jobs = 1" if executor is None else "other machines; leave out executor"
        )
        raise InputError(
            f"a tracker of your own does not reach {where}, or leave the tracker out: each process then records in the"
            " store of [tracking]"
        )


def _lead_or_help(
    comparison: Comparison,
    opened: Callable[[], AbstractContextManager[ComparisonFolder]],
    jobs: int | None,
    screen: Screen | None,
    executor: MakeExecutor | None,
    *,
    join: bool,
) -> ComparisonReport:
    """Lead a comparison to its end; as long as another process leads it, help that one if ``join`` allows it."""
    with ExitStack() as held:
        while (folder := _opened(opened, held, wait=join)) is None:
            comparison.folder.refreshed()
            comparison.help(jobs, screen, executor)
        comparison.folder = folder
        return comparison.run(jobs, screen, executor)


def _opened(
    opened: Callable[[], AbstractContextManager[ComparisonFolder]], held: ExitStack, *, wait: bool
) -> ComparisonFolder | None:
    """Open the folder of a comparison to lead it; None if another process does, and ``wait`` allows that."""
    try:
        return held.enter_context(opened())
    except Busy:
        if not wait:
            raise
        return None
