"""Runs that killed processes have left, which look as if somebody still worked on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cgl_ignite.errors import InputError
from cgl_ignite.pipeline.describe import describe_group, describe_run
from cgl_ignite.pipeline.find import all_runs
from cgl_ignite.pipeline.hand_over import sync_run
from cgl_ignite.pipeline.result import read_result, results_markdown
from cgl_ignite.tracking import Group, Tracker
from cgl_ignite.tracking.process import gone

__all__ = ["close_abandoned"]


def close_abandoned(runs: Path, tracker: Tracker, warn: Callable[[str], None]) -> None:
    """Give the runs that a dead process left as RUNNING the status that is true, and their groups too.

    One that is complete is FINISHED, here and in the tracker; any other is KILLED, and may be resumed. The tracker
    itself ends the runs of dead processes as KILLED, so this comes before its first run is opened. A run whose
    description is damaged is passed over with a warning.
    """
    groups = set()
    for run in all_runs(runs, warn):
        if run.facts["status"] != "RUNNING" or not gone(run.facts["process"]):
            continue
        try:
            with run.locked() as left:
                left.clean()
                if not left.complete:
                    left.note(status="KILLED")
                    continue
                if read_result(left.result).tracking_uri == tracker.uri:
                    sync_run(
                        left, tracker, describe_run(left.read_setting(), left.facts, left.facts.get("group")), warn
                    )
                    groups.add(left.facts.get("group"))
                left.note(status="FINISHED")
        except (InputError, OSError) as error:
            warn(f"run {run.run_id} was killed and cannot be closed: {error}")
    for group in groups - {None}:
        _sync_group(runs, str(group), tracker, warn)


def _sync_group(runs: Path, group: str, tracker: Tracker, warn: Callable[[str], None]) -> None:
    """Finish the group of a run if all of its seeds have finished; comparisons finish theirs themselves."""
    members = [run for run in all_runs(runs) if run.facts.get("group") == group and "comparison" not in run.facts]
    results = {run.facts["seed"]: read_result(run.result) for run in members if run.complete}
    if not members:
        return
    setting, facts = members[0].read_setting(), members[0].facts
    seeds = setting.get("seeds", ())
    if set(seeds) == results.keys():
        known = Group(tracker, describe_group(setting, facts, seeds), group, warn)
        known.describe(results_markdown([results[seed] for seed in seeds]))
        known.close("FINISHED")
