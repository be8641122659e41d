"""Databases of MLflow that are copied from a ready one, as MLflow takes seconds to create one."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from filelock import FileLock

from cgl_ignite.tracking import Store, database, own_store

__all__ = ["CREATE", "copied_stores", "ready_database"]

CREATE = database._create
"""What creates a database by MLflow's migrations."""


def copied_stores(patch: pytest.MonkeyPatch, shared: Path) -> None:
    """Let every new store begin with a copy of one database, which the processes of a test run share."""

    def create(store: Store, file: Path, new: Path) -> None:
        shutil.copy(ready_database(shared), new)
        artifacts = store.artifacts or file.parent / "artifacts"
        with closing(sqlite3.connect(new)) as connection, connection:
            change = "update experiments set artifact_location = ? where experiment_id = 0"
            connection.execute(change, (f"{artifacts.as_uri()}/0",))
        for suffix in database.JOURNALS:
            file.with_name(file.name + suffix).unlink(missing_ok=True)
        new.replace(file)

    if database._create is CREATE:
        patch.setattr(database, "_create", create)


def ready_database(shared: Path) -> Path:
    """Return a database without records; the first process that asks makes it."""
    folder = shared / "store"
    folder.mkdir(exist_ok=True)
    store = own_store(folder)
    made = folder / "mlflow.db"
    with FileLock(folder / ".made.lock"):
        if not made.exists():
            CREATE(store, made, folder / ".mlflow.db.new")
    return made
