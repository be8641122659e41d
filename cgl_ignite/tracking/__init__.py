"""The record of the runs: a journal in files, sent on to MLflow.

MLflow is imported by :mod:`cgl_ignite.tracking.mlflow` alone, when :func:`make_tracker` is called.
"""

import os

from cgl_ignite.tracking.base import Row, RunInfo, Status, StudentModel, Tracker, TrackerError
from cgl_ignite.tracking.group import Group
from cgl_ignite.tracking.journal import Journal, settle
from cgl_ignite.tracking.keys import epoch_values, final_values
from cgl_ignite.tracking.screen import Screen, Summary
from cgl_ignite.tracking.store import Store, locate
from cgl_ignite.tracking.system import SystemMetrics

__all__ = [
    "Group",
    "Journal",
    "Row",
    "RunInfo",
    "Screen",
    "Status",
    "Store",
    "StudentModel",
    "Summary",
    "SystemMetrics",
    "Tracker",
    "TrackerError",
    "epoch_values",
    "final_values",
    "locate",
    "make_tracker",
    "settle",
]

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


def make_tracker(store: Store) -> Tracker:
    """Return the tracker of a store; nothing is opened before its first call."""
    from cgl_ignite.tracking.mlflow import MLflowTracker

    return MLflowTracker(store)
