"""The SQLite file of a store: whole or not there, and in step with the folder it lies in."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import NullPool
from sqlalchemy.engine import URL

from cgl_ignite.tracking import TrackerError, database, locate
from cgl_ignite.tracking.mlflow import MLflowTracker


@pytest.fixture
def notes():
    return []


@pytest.fixture
def quick(monkeypatch, template):
    """Create databases by copying a ready one."""
    monkeypatch.setattr(database, "_create", lambda store, file, new: shutil.copy(template, file))


def execute(file, *commands):
    with sqlite3.connect(file) as connection:
        for command in commands:
            connection.execute(command)
    connection.close()


def nothing(file):
    file.write_bytes(b"")


def no_version(file):
    execute(file, "create table experiments (experiment_id integer primary key, name varchar(256))")


def an_empty_version(file):
    execute(file, "create table runs (run_uuid varchar(32))", "create table alembic_version (version_num varchar(32))")


def an_early_version(file):
    execute(file, "update alembic_version set version_num = '451aebb31d03'", "drop table trace_info")


@pytest.mark.parametrize("leave", [nothing, no_version, an_empty_version, an_early_version])
def test_a_half_made_database_without_records_is_created_again(quick, template, tmp_path, info, notes, leave):
    file = tmp_path / "mlflow.db"
    if leave is an_early_version:
        shutil.copy(template, file)
    leave(file)
    tracker = MLflowTracker(locate(tmp_path), notes.append)
    run = tracker.open(info)
    assert tracker.status(run) == "RUNNING"
    assert notes == [f"tracking: {file} was half made and held no records; it has been created again"]


@pytest.mark.parametrize("table", ["runs", "registered_models", "experiments"])
def test_a_database_with_records_and_another_schema_is_never_changed(tracker, info, store, table, notes):
    tracker.open(info)
    if table != "runs":
        tracker.client.create_registered_model("kept")
        tracker.client.create_experiment("kept")
        with sqlite3.connect(store.database) as connection:
            for other in {"runs", "registered_models"} - {table}:
                connection.execute(f"delete from {other}")
        connection.close()
    execute(store.database, "update alembic_version set version_num = 'later'")
    before = store.database.read_bytes()
    for _ in range(2):
        with pytest.raises(TrackerError, match=r"holds records.* \(later\).* nothing .* changed.* mlflow db upgrade"):
            MLflowTracker(store, notes.append).open(info)
    assert store.database.read_bytes() == before
    assert notes == []


def test_what_a_killed_creation_left_is_removed(store, info):
    left = [store.database.with_name(f".mlflow.db.new{ending}") for ending in ("", "-journal")]
    for file in left:
        file.write_bytes(b"half")
    MLflowTracker(store).open(info)
    assert not any(file.exists() for file in left)


def test_the_journal_of_a_database_that_was_deleted_does_not_reach_the_new_one(monkeypatch, template, tmp_path, info):
    class Copied:
        engine = database.create_engine("sqlite://")

        def __init__(self, uri, place):
            if not Path(tmp_path / "mlflow.db").exists():
                shutil.copy(template, tmp_path / ".mlflow.db.new")

    monkeypatch.setattr(database, "SqlAlchemyStore", Copied)
    journal = tmp_path / "mlflow.db-journal"
    journal.write_bytes(b"hot")
    assert MLflowTracker(locate(tmp_path)).newest_experiment() is None
    assert not journal.exists()


def test_a_database_that_is_deleted_meanwhile_is_created_again(quick, tracker, info, store):
    first = tracker.open(info)
    store.database.unlink()
    assert tracker.status(first) is None
    assert tracker.status(tracker.open(info)) == "RUNNING"


def test_only_a_new_database_is_written_without_waiting_for_the_disk(tmp_path):
    new, other = tmp_path / "new%.db", tmp_path / "other.db"

    def waits(file):
        engine = database.create_engine(URL.create("sqlite", database=str(file)), poolclass=NullPool)
        with engine.connect() as connection:
            return connection.exec_driver_sql("PRAGMA synchronous").scalar() > 0

    with database._unflushed(new):
        assert (waits(new), waits(other)) == (False, True)
    assert waits(new)


def recorded(tracker, info, folder):
    """Record a run with one artifact."""
    run = tracker.open(info)
    (folder / "note.txt").write_text("kept")
    tracker.file(run, folder / "note.txt", "")
    return run


def test_a_moved_folder_takes_its_artifacts_along(tracker, info, store, tmp_path, notes):
    old, new = store.database.parent, tmp_path / "x#y" / "100%"
    run = recorded(tracker, info, tmp_path)
    model = tracker.client.create_logged_model(tracker.client.get_run(run).info.experiment_id, "student").model_id
    tracker.client.create_registered_model("best")
    tracker.client.create_model_version("best", f"{old.as_uri()}/artifacts/models/{model}/artifacts", run)
    new.parent.mkdir()
    old.rename(new)

    again = MLflowTracker(locate(new), notes.append)
    later = recorded(again, info, tmp_path)
    place = f"{new.as_uri()}/artifacts"
    assert notes == [
        f"tracking: the folder {old} is now {new}; the artifacts of 1 runs and 1 models are found there from now on"
    ]
    assert not old.exists()
    for one in (run, later):
        assert again.client.get_run(one).info.artifact_uri == f"{place}/{one}/artifacts"
        assert [file.path for file in again.client.list_artifacts(one)] == ["note.txt"]
    assert again.client.get_logged_model(model).artifact_location == f"{place}/models/{model}/artifacts"
    assert again.client.get_model_version("best", "1").source == f"{place}/models/{model}/artifacts"
    MLflowTracker(locate(new), notes.append).open(info)
    assert len(notes) == 1


def test_a_copied_folder_writes_nothing_into_the_original(tracker, info, store, tmp_path, notes):
    run = tracker.open(info)
    recorded(tracker, info, tmp_path)
    original = store.database.parent
    shutil.copytree(original, tmp_path / "copy")
    before = sorted(original.rglob("*")), store.database.read_bytes()
    again = MLflowTracker(locate(tmp_path / "copy"), notes.append)
    again.reopen(run, info)
    again.file(run, tmp_path / "note.txt", "more")
    assert (tmp_path / "copy/artifacts" / run / "artifacts/more/note.txt").is_file()
    assert (sorted(original.rglob("*")), store.database.read_bytes()) == before
    assert len(notes) == 1


def test_another_name_of_the_same_folder_is_no_move(tracker, info, store, tmp_path, notes):
    run = recorded(tracker, info, tmp_path)
    (tmp_path / "link").symlink_to(store.database.parent)
    again = MLflowTracker(locate(tmp_path / "link"), notes.append)
    assert again.client.get_run(run).info.artifact_uri.startswith(store.artifacts.as_uri())
    assert notes == []


def test_artifacts_of_others_stay_where_they_are(tracker, info, store, tmp_path, notes):
    tracker.open(info)
    elsewhere = (tmp_path / "bulk" / "artifacts").as_uri()
    other = tracker.client.create_experiment("by hand", artifact_location=elsewhere)
    store.database.parent.rename(tmp_path / "moved")
    again = MLflowTracker(locate(tmp_path / "moved"), notes.append)
    assert again.client.get_experiment(other).artifact_location == elsewhere
    assert len(notes) == 1


def test_a_database_given_by_its_address_is_left_as_it_is(tracker, info, store, tmp_path, notes):
    run = recorded(tracker, info, tmp_path)
    store.database.parent.rename(tmp_path / "moved")
    given = locate(tmp_path, f"sqlite:///{tmp_path / 'moved' / 'mlflow.db'}")
    again = MLflowTracker(given, notes.append)
    assert again.client.get_run(run).info.artifact_uri.startswith(store.artifacts.as_uri())
    assert notes == []


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.1, 0.35, 0.6, 0.85])
def test_a_kill_during_the_creation_leaves_nothing_or_a_whole_database(tmp_path, info, notes, share):
    script = (
        "import sys; from pathlib import Path; from cgl_ignite.tracking import *;"
        "t = make_tracker(locate(Path(sys.argv[1]))); print('opening', flush=True); t.newest_experiment()"
    )

    def create(folder):
        command = [sys.executable, "-c", script, str(folder)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        process.stdout.readline()
        return process

    started = time.monotonic()
    create(tmp_path / "whole").communicate()
    seconds = time.monotonic() - started
    killed = create(tmp_path / "killed")
    time.sleep(seconds * share)
    killed.kill()
    killed.communicate()
    folder = tmp_path / "killed"
    tracker = MLflowTracker(locate(folder), notes.append)
    assert tracker.status(tracker.open(info)) == "RUNNING"
    assert {file.name for file in folder.iterdir()} == {"mlflow.db", ".mlflow.db.lock"}
    assert notes == []
