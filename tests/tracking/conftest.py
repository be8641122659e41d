"""A ready MLflow database, made once and copied for each test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cgl_ignite.tracking import RunInfo, Store, database, locate
from cgl_ignite.tracking.mlflow import MLflowTracker
from tests.stores import CREATE, ready_database


@pytest.fixture(autouse=True)
def _created_stores(_copied_stores: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let MLflow create databases, as these tests are about that."""
    monkeypatch.setattr(database, "_create", CREATE)


@pytest.fixture(scope="session")
def template(shared: Path) -> Path:
    return ready_database(shared)


@pytest.fixture
def store(template: Path, tmp_path: Path) -> Store:
    (tmp_path / "mlruns").mkdir()
    shutil.copy(template, tmp_path / "mlruns" / "mlflow.db")
    return locate(tmp_path / "mlruns")


@pytest.fixture
def tracker(store: Store) -> MLflowTracker:
    return MLflowTracker(store)


@pytest.fixture
def info() -> RunInfo:
    parameters = {"method.students": "8", "optim.learning_rate": "0.1"}
    return RunInfo("digits", "cgl seed 1", 1, parameters, {"cgl.method": "cgl"})
