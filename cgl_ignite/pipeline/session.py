"""The composition root: a pipeline becomes runs, one per seed, under one group of the tracker."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from cgl_ignite.config.dump import fingerprint
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.errors import Interrupted
from cgl_ignite.pipeline.assemble import read_data
from cgl_ignite.pipeline.device import find_device, lend_cpu
from cgl_ignite.pipeline.folder import RunFolder, unfinished_run
from cgl_ignite.pipeline.identity import data_of, refuse_changed_data
from cgl_ignite.pipeline.result import RunResult, read_result, summarise
from cgl_ignite.pipeline.single import Setting, run_info, run_seed
from cgl_ignite.tracking import Group, Screen, Tracker, locate, make_tracker, settle

__all__ = ["run"]


def run(
    pipeline: Pipeline,
    *,
    resume: bool = False,
    screen: Screen | None = None,
    tracker: Tracker | None = None,
) -> list[RunResult]:
    """Train a pool for every seed of a pipeline and hand over the selected student of each.

    Args:
        pipeline: what to run (:func:`cgl_ignite.load_pipeline`).
        resume: go on with the newest unfinished run of this pipeline and seed; a finished one returns its result.
        screen: shows the training; None shows nothing.
        tracker: where runs are recorded; None opens the store of ``[tracking]``.

    Raises:
        InputError: something that the user gave is wrong.
        RunFailed: the training failed.
        Interrupted: Ctrl-C or SIGTERM; the state is saved.
    """
    runs = pipeline.tracking.folder.expanduser().absolute() / "runs"
    found = {seed: unfinished_run(runs, fingerprint(pipeline), seed) if resume else None for seed in pipeline.seeds}
    finished = {seed: again for seed, again in found.items() if again and again.result.exists()}
    done = {seed: read_result(again.result) for seed, again in finished.items()}
    warn: Callable[[str], None] = screen.note if screen else _print
    device = find_device(pipeline.run.device)
    waiting = [seed for seed in found if seed not in finished]
    source = read_data(pipeline) if waiting else None
    data = data_of(pipeline, source) if source else {}
    for again in (run for seed in waiting if (run := found[seed])):
        remedy = "leave out --resume to begin anew"
        refuse_changed_data(again.facts.get("data"), data, f"run {again.run_id}", remedy)
    tracker = tracker or make_tracker(locate(pipeline.tracking.folder, pipeline.tracking.uri), warn)
    for seed, again in finished.items():
        settle(again.path, tracker, run_info(pipeline, seed, again.facts.get("group")), warn)
    if source is not None:
        group = Group(tracker, run_info(pipeline, None, None), _group_of(found), warn)
        setting = Setting(pipeline, source, data, device, runs, tracker, group.id, screen, warn)
        with _ending(group), lend_cpu(pipeline.run.threads):
            for seed in waiting:
                done[seed] = run_seed(setting, seed, found[seed])
            group.summarise(summarise([done[seed] for seed in pipeline.seeds]))
    return [done[seed] for seed in pipeline.seeds]


@contextmanager
def _ending(group: Group) -> Iterator[None]:
    """Give the group the status that is true."""
    try:
        yield
    except (Interrupted, KeyboardInterrupt):
        group.close("KILLED")
        raise
    except BaseException:
        group.close("FAILED")
        raise
    group.close("FINISHED")


def _group_of(found: Mapping[int, RunFolder | None]) -> str | None:
    """Return the group that the runs to resume belong to."""
    groups = [again.facts.get("group") for again in found.values() if again]
    return next((str(group) for group in groups if group), None)


def _print(text: str) -> None:
    sys.stderr.write(f"{text}\n")
