"""Rows, data sets and descriptions in the form in which MLflow stores and shows them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from hashlib import blake2b

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric

from cgl_ignite.tracking.base import DatasetInfo, MetricsRow
from cgl_ignite.tracking.keys import EPOCH, mlflow_name

__all__ = ["DESCRIPTION", "batches", "dataset_input", "description"]

DESCRIPTION = "mlflow.note.content"
BATCH = 1000
DESCRIPTION_LENGTH = 5000
"""Characters that a tag takes in every store, the oldest databases included."""
DIGEST_BYTES = 8


def batches(rows: Sequence[MetricsRow]) -> Iterator[list[Metric]]:
    """Name the values of rows as MLflow shows them; whole rows, as many to a batch as a server takes."""
    batch: list[Metric] = []
    for row in rows:
        values = {mlflow_name(key): value for key, value in row.values.items()}
        values |= {} if row.final else {EPOCH: row.epoch}
        if batch and len(batch) + len(values) > BATCH:
            yield batch
            batch = []
        batch += [Metric(key, _storable(value), row.time_ms, row.epoch) for key, value in values.items()]
    if batch:
        yield batch


def dataset_input(dataset: DatasetInfo) -> DatasetInput:
    """Describe the data set of a run; its digest is one of everything that was read."""
    facts, source = dict(dataset.facts), dict(dataset.source)
    digest = blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=DIGEST_BYTES).hexdigest()
    entity = Dataset(dataset.name, digest, "code", json.dumps(source), profile=json.dumps(facts))
    return DatasetInput(entity, [InputTag("mlflow.data.context", "training")])


def description(text: str) -> str:
    """Shorten a description to what a tag takes, at the end of a line."""
    if len(text) <= DESCRIPTION_LENGTH:
        return text
    kept, _, _ = text[: DESCRIPTION_LENGTH - 50].rpartition("\n")
    return f"{kept}\n\n... (the rest is among the artifacts)"


def _storable(value: float) -> float:
    """MLflow stores infinity as a number (1.8e308); it is recorded as not-a-number instead."""
    return value if math.isfinite(value) else math.nan
