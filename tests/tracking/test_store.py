from __future__ import annotations

from pathlib import Path

import pytest

from cgl_ignite.errors import InputError
from cgl_ignite.tracking import Store, locate


def test_the_default_is_a_database_in_the_folder(workdir):
    store = locate(Path("mlruns"))
    assert store == Store(f"sqlite:///{workdir}/mlruns/mlflow.db", workdir / "mlruns" / "artifacts")
    assert store.database == workdir / "mlruns" / "mlflow.db"


def test_the_environment_wins_over_the_folder_and_the_pipeline_over_both(monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking:5000")
    assert locate(tmp_path) == Store("http://tracking:5000", None)
    assert locate(tmp_path, "https://other").uri == "https://other"


def test_a_relative_database_does_not_follow_the_working_directory(workdir):
    assert locate(Path("mlruns"), "sqlite:///runs/all.db").uri == f"sqlite:///{workdir}/runs/all.db"


def test_a_database_server_keeps_its_artifacts_in_the_folder(tmp_path):
    store = locate(tmp_path, "postgresql+psycopg2://host/runs")
    assert (store.artifacts, store.database) == (tmp_path / "artifacts", None)


@pytest.mark.parametrize("uri", ["mlruns", "file:///tmp/mlruns", "sqllite:///x.db", "ftp://host"])
def test_what_mlflow_cannot_use_is_named_with_its_source(monkeypatch, tmp_path, uri):
    with pytest.raises(InputError, match=r"tracking\.uri = .* 'sqlite:///"):
        locate(tmp_path, uri)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(InputError, match="MLFLOW_TRACKING_URI"):
        locate(tmp_path)


def test_the_old_folder_store_is_taken_where_mlflow_is_told_to(monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    assert locate(tmp_path, "file:///tmp/mlruns").uri == "file:///tmp/mlruns"
