"""Whether the processes that have met are about to do the same."""

from __future__ import annotations

from collections.abc import Mapping

from cgl_ignite.config.dump import flat
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.distributed.peers import Peers
from cgl_ignite.errors import InputError

__all__ = ["refuse_other_data", "refuse_other_pipeline"]


def refuse_other_pipeline(peers: Peers, pipeline: Pipeline) -> None:
    """Make sure that all processes have read the same pipeline, but for where data and records lie.

    Raises:
        InputError: they have not.
    """
    local = "data.root", "tracking."
    mine = {key: value for key, value in flat(pipeline).items() if not key.startswith(local)}
    _refuse(peers, mine, "pipelines", "give all processes the same file and the same --set")


def refuse_other_data(peers: Peers, identity: Mapping[str, str]) -> None:
    """Make sure that all processes have read the same data.

    Raises:
        InputError: they have not.
    """
    _refuse(peers, dict(identity), "data", "give all processes the same files")


def _refuse(peers: Peers, mine: Mapping[str, object], what: str, remedy: str) -> None:
    everyone = peers.all_of(mine)
    for rank, theirs in enumerate(everyone):
        keys = [key for key in {**everyone[0], **theirs} if everyone[0].get(key) != theirs.get(key)]
        if keys:
            values = f"{everyone[0].get(keys[0])!r} and {theirs.get(keys[0])!r}"
            raise InputError(f"processes 0 and {rank} have read different {what}: {keys[0]} is {values}; {remedy}")
