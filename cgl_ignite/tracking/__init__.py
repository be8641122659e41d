"""The record of the runs: a journal in files, sent on to MLflow.

MLflow is imported by :mod:`cgl_ignite.tracking.mlflow` alone, when :func:`make_tracker` is called.
"""

import os
from collections.abc import Callable

from cgl_ignite.tracking.base import (
    DatasetInfo,
    MetricsRow,
    ModelRefused,
    RunInfo,
    Status,
    StillDown,
    StudentModel,
    Tracker,
    TrackerError,
    UnknownRun,
)
from cgl_ignite.tracking.group import Group, is_finished
from cgl_ignite.tracking.guard import warn_by_log
from cgl_ignite.tracking.journal import Journal, is_settled, recorded_in, sync
from cgl_ignite.tracking.keys import epoch_values, final_values
from cgl_ignite.tracking.provenance import ask_git, provenance
from cgl_ignite.tracking.store import Store, locate, own_store, refuse_remote_database
from cgl_ignite.tracking.system import SystemMetrics

__all__ = [
    "DatasetInfo",
    "Group",
    "Journal",
    "MetricsRow",
    "ModelRefused",
    "RunInfo",
    "Status",
    "StillDown",
    "Store",
    "StudentModel",
    "SystemMetrics",
    "Tracker",
    "TrackerError",
    "UnknownRun",
    "ask_git",
    "epoch_values",
    "final_values",
    "is_finished",
    "is_settled",
    "locate",
    "make_tracker",
    "own_store",
    "provenance",
    "recorded_in",
    "refuse_remote_database",
    "sync",
]

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


def make_tracker(store: Store, warn: Callable[[str], None] = warn_by_log) -> Tracker:
    """Return the tracker of a store, which tells ``warn`` of repairs; nothing is opened before its first call."""
    from cgl_ignite.tracking.mlflow import MLflowTracker

    return MLflowTracker(store, warn)
