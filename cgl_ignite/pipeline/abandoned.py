"""Runs that killed processes have left, which look as if somebody still worked on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cgl_ignite.config.dump import flatten
from cgl_ignite.errors import InputError
from cgl_ignite.pipeline.find import all_runs
from cgl_ignite.pipeline.folder import RunFolder
from cgl_ignite.pipeline.hand_over import sync_run
from cgl_ignite.pipeline.result import average_over_seeds, read_result
from cgl_ignite.tracking import Group, RunInfo, Tracker
from cgl_ignite.tracking.process import gone

__all__ = ["close_abandoned"]


def close_abandoned(runs: Path, tracker: Tracker, warn: Callable[[str], None]) -> None:
    """Give the runs that a dead process left as RUNNING the status that is true, and their groups too.

    One that is complete is FINISHED, here and in the tracker; any other is KILLED, and may be resumed. The tracker
    itself ends the runs of dead processes as KILLED, so this comes before its first run is opened.
    """
    groups = set()
    for run in all_runs(runs):
        if run.facts["status"] != "RUNNING" or not gone(run.facts["process"]):
            continue
        try:
            with run.locked() as left:
                left.clean()
                if not left.complete:
                    left.note(status="KILLED")
                    continue
                if read_result(left.result).tracking_uri == tracker.uri:
                    sync_run(left, tracker, _info(left, left.facts.get("group")), warn)
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
    if members and set(members[0].read_setting().get("seeds", ())) == results.keys():
        known = Group(tracker, _group_info(members[0]), group, warn)
        known.log_summary(average_over_seeds(list(results.values())))
        known.close("FINISHED")


def _info(run: RunFolder, group: str | None) -> RunInfo:
    """Describe a run to the tracker by its own setting."""
    setting, facts = run.read_setting(), run.facts
    method = facts.get("method", _table(setting, "method").get("preset", ""))
    return RunInfo(
        experiment=_table(setting, "tracking").get("experiment") or facts["name"],
        name=f"{method} seed {facts['seed']}",
        seed=facts["seed"],
        parameters={key: str(value) for key, value in {"seed": facts["seed"], **flatten(setting)}.items()},
        tags={"cgl.method": method, "cgl.fingerprint": facts["fingerprint"]},
        parent=group,
    )


def _group_info(run: RunFolder) -> RunInfo:
    """Describe the group of a run to the tracker."""
    of_run = _info(run, None)
    name = f"{run.facts['name']} {of_run.tags['cgl.method']}"
    return replace(of_run, name=name, seed=None, parameters={})


def _table(tree: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = tree.get(name)
    return table if isinstance(table, Mapping) else {}
