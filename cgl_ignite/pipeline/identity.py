"""The data are part of what a run is: what was read is kept with it, and it does not go on with other data."""

from __future__ import annotations

from collections.abc import Mapping

from cgl_ignite.config.schema import Pipeline
from cgl_ignite.data import ENCODINGS, DataSource
from cgl_ignite.data.digest import changes
from cgl_ignite.data.identity import identify_data
from cgl_ignite.errors import InputError

__all__ = ["data_of", "refuse_changed_data"]


def data_of(pipeline: Pipeline, source: DataSource) -> dict[str, str]:
    """Describe the data that a pipeline reads, as they are now."""
    return identify_data(source, ENCODINGS.build(pipeline.data.encoding))


def refuse_changed_data(before: Mapping[str, str] | None, now: Mapping[str, str], began: str, remedy: str) -> None:
    """Make sure that the data are those with which something began; unknown ones (None) are accepted.

    Args:
        before: the data then.
        now: the data now.
        began: what began, for the message.
        remedy: how to begin anew.

    Raises:
        InputError: they differ, with every difference.
    """
    if before is not None and (differences := list(changes(before, now))):
        named = "; ".join(differences)
        raise InputError(f"the data have changed since {began} began: {named}; restore them, or {remedy}")
