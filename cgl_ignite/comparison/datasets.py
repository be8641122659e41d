"""The data sets of a comparison: which rows read the same one, and the one that is in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b

from cgl_ignite.config.schema import Pipeline
from cgl_ignite.pipeline.data import RunData, read_data

__all__ = ["DataStore", "data_key", "rows_by_data"]


def data_key(pipeline: Pipeline) -> str:
    """Name what a pipeline reads: its ``[data]`` without the augmentation, and its plugins."""
    table = pipeline.data.model_dump(mode="json", exclude={"augment"})
    text = json.dumps([table, pipeline.plugins], sort_keys=True)
    return blake2b(text.encode(), digest_size=6).hexdigest()


def rows_by_data(pipelines: Mapping[str, Pipeline]) -> dict[str, dict[str, Pipeline]]:
    """Gather the rows that read the same data, in their order."""
    groups: dict[str, dict[str, Pipeline]] = {}
    for name, pipeline in pipelines.items():
        groups.setdefault(data_key(pipeline), {})[name] = pipeline
    return groups


class DataStore:
    """Reads data, and keeps those that were read last."""

    def __init__(self) -> None:
        self._key = ""
        self._data: RunData | None = None

    def read(self, pipeline: Pipeline) -> RunData:
        """Return the data of a pipeline.

        Raises:
            InputError: they cannot be read.
        """
        key = data_key(pipeline)
        if self._data is None or key != self._key:
            self._data = None
            self._data, self._key = read_data(pipeline), key
        return self._data

    def forget(self) -> None:
        """Keep nothing."""
        self._data = None
