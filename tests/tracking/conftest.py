"""A ready MLflow database, made once and copied for each test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cgl_ignite.tracking import RunInfo, Store, locate
from cgl_ignite.tracking.mlflow import MLflowTracker


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    store = locate(folder, f"sqlite:///{folder / 'mlflow.db'}")
    assert MLflowTracker(store).newest_experiment() is None
    return folder / "mlflow.db"


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
