"""What the tracker is told of runs, their groups and their data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cgl_ignite.config.dump import fingerprint, flatten, values
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.tracking import DatasetInfo, RunInfo

__all__ = ["describe_dataset", "describe_group", "describe_run", "group_info", "run_info"]


def run_info(pipeline: Pipeline, seed: int, group: str | None, facts: Mapping[str, Any]) -> RunInfo:
    """Describe a run to the tracker; ``facts`` is what its folder says about it, or will say."""
    return describe_run(values(pipeline), {**facts, **_name(pipeline), "seed": seed}, group)


def group_info(pipeline: Pipeline, facts: Mapping[str, Any], tried: str | None = None) -> RunInfo:
    """Describe the group of the runs of a pipeline to the tracker."""
    return describe_group(values(pipeline), {**facts, **_name(pipeline)}, pipeline.seeds, tried)


def describe_run(setting: Mapping[str, Any], facts: Mapping[str, Any], group: str | None) -> RunInfo:
    """Describe a run to the tracker by its effective values and what its folder says about it."""
    method, seed = _method(setting, facts), facts["seed"]
    parameters = {"method": method, "seed": seed, **flatten(setting)}
    return RunInfo(
        experiment=_experiment(setting, facts),
        name=f"{method} seed {seed}",
        seed=seed,
        parameters={key: str(value) for key, value in parameters.items()},
        tags=_tags(method, facts),
        parent=group,
        dataset=describe_dataset(setting, facts.get("data")),
    )


def describe_group(
    setting: Mapping[str, Any], facts: Mapping[str, Any], seeds: Sequence[int], tried: str | None = None
) -> RunInfo:
    """Describe the group of the runs of one invocation to the tracker; its name tells different settings apart.

    ``tried``: the value that is tried, which the name holds in the place of the seeds.
    """
    method = _method(setting, facts)
    named = tried or f"seed{'' if len(seeds) == 1 else 's'} {', '.join(map(str, seeds))}"
    return RunInfo(
        experiment=_experiment(setting, facts),
        name=f"{facts['name']} {method}, {named} ({facts['fingerprint']})",
        tags=_tags(method, facts),
        dataset=describe_dataset(setting, facts.get("data")),
    )


def describe_dataset(setting: Mapping[str, Any], identity: Mapping[str, str] | None) -> DatasetInfo | None:
    """Describe the data of a run to the tracker; ``identity``: what was read, None if that is not known."""
    table = _table(setting, "data")
    return DatasetInfo(table["kind"], identity, {"data": dict(table)}) if identity and "kind" in table else None


def _name(pipeline: Pipeline) -> dict[str, str]:
    return {"name": pipeline.name, "fingerprint": fingerprint(pipeline)}


def _method(setting: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    return str(facts.get("method") or _table(setting, "method").get("preset", ""))


def _tags(method: str, facts: Mapping[str, Any]) -> dict[str, str]:
    return {"cgl.method": method, "cgl.fingerprint": facts["fingerprint"], **facts.get("source", {})}


def _experiment(setting: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    return str(_table(setting, "tracking").get("experiment") or facts["name"])


def _table(tree: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = tree.get(name)
    return table if isinstance(table, Mapping) else {}
