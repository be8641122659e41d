from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from cgl_ignite.errors import InputError
from cgl_ignite.tracking import Store, locate, own_store
from cgl_ignite.tracking.mlflow import MLflowTracker
from cgl_ignite.tracking.store import sqlite_uri


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


@pytest.mark.parametrize("name", ["what?", "x#y", "ü ñ", "100%", "a b", "semi;colon@x:y", "back\\slash"])
def test_any_folder_has_an_address_that_leads_back_to_it(tmp_path, name):
    folder = tmp_path / name
    store = locate(folder)
    assert store.database == folder / "mlflow.db"
    assert make_url(store.uri).database == str(folder / "mlflow.db")
    assert locate(tmp_path, store.uri) == store
    assert store.own
    assert not locate(tmp_path, store.uri).own


@pytest.mark.parametrize("name", ["what?", "x#y", "ü ñ", "100%"])
def test_a_run_in_any_folder_is_recorded_in_that_folder(tmp_path, template, info, name):
    sibling, folder = tmp_path / "a b", tmp_path / name
    for place in (sibling, folder):
        place.mkdir()
        shutil.copy(template, place / "mlflow.db")
    before = (sibling / "mlflow.db").read_bytes()
    tracker = MLflowTracker(locate(folder))
    run = tracker.open(info)
    (tmp_path / "note.txt").write_text("kept")
    tracker.file(run, tmp_path / "note.txt", "deep")
    assert (folder / "artifacts" / run / "artifacts/deep/note.txt").read_text() == "kept"
    assert Path(tracker.client.download_artifacts(run, "deep/note.txt")).read_text() == "kept"
    assert (sibling / "mlflow.db").read_bytes() == before
    assert {file.name for file in tmp_path.iterdir()} == {"a b", name, "note.txt"}


@pytest.mark.parametrize("name", ["a%20b", "50%ff"])
def test_a_folder_from_which_mlflow_cannot_load_models_is_refused_before_anything_is_written(tmp_path, name):
    for given in (None, sqlite_uri(tmp_path / name / "runs.db")):
        with pytest.raises(InputError, match=f"{name}.*MLflow takes '%..' in the path.*tracking.folder, or rename"):
            locate(tmp_path / name / "mlruns", given)
    assert list(tmp_path.iterdir()) == []
    assert locate(tmp_path / name, "http://localhost:5000").artifacts is None


def test_the_address_of_an_encoded_name_is_not_that_of_its_sibling(tmp_path):
    assert own_store(tmp_path / "a%20b").database == tmp_path / "a%20b" / "mlflow.db"


def test_a_folder_that_cannot_be_written_as_an_address_is_named(tmp_path):
    with pytest.raises(InputError, match=r"udcff.*MLflow cannot keep its database.*tracking\.folder"):
        locate(tmp_path / "\udcff")


@pytest.mark.parametrize("uri", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_is_refused(tmp_path, uri):
    with pytest.raises(InputError, match=r"tracking\.uri = .*a database in memory ends with the process"):
        locate(tmp_path, uri)


def test_options_of_a_database_are_kept(tmp_path):
    uri = f"sqlite:///{tmp_path}/runs.db?timeout=30"
    assert locate(tmp_path, uri) == Store(uri, tmp_path / "artifacts")


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
