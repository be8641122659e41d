"""The SQLite file of a store: created whole or not at all, and kept in step with the folder it lies in.

Creating one takes seconds, as all migrations of MLflow are run.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import mlflow
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from filelock import FileLock
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy import Connection, Engine, NullPool, create_engine, event, inspect, text
from sqlalchemy.engine import URL

from cgl_ignite.tracking.base import TrackerError
from cgl_ignite.tracking.store import ARTIFACTS, Store, sqlite_uri

__all__ = ["prepare"]

LOCK_SECONDS = 30.0
BUSY_SECONDS = 20.0
MIGRATIONS = Path(mlflow.__file__).parent / "store" / "db_migrations"
JOURNALS = ("-journal", "-wal", "-shm")
RECORDS = {"runs": "", "logged_models": "", "registered_models": "", "experiments": "where experiment_id <> 0"}
"""What a user would miss: rows of these tables, but for the experiment that MLflow itself makes."""

ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Where MLflow keeps absolute addresses of artifacts."""


def prepare(store: Store, database: Path, warn: Callable[[str], None]) -> None:
    """Make the database of a store ready: create it, replace a half made one, follow a moved folder.

    One process at a time does this.

    Raises:
        TrackerError: a database that holds records and has another schema than this MLflow reads.
    """
    database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(database.with_name(f".{database.name}.lock"), timeout=LOCK_SECONDS):
        new = database.with_name(f".{database.name}.new")
        for left in database.parent.iterdir():
            if left.name.startswith(new.name):
                left.unlink()
        if not database.exists():
            _create(store, database, new)
        elif _half_made(database):
            _create(store, database, new)
            warn(f"tracking: {database} was half made and held no records; it has been created again")
        if store.own:
            _follow(database, warn)
        _open(store, database, store.uri)


def _create(store: Store, database: Path, new: Path) -> None:
    with _unflushed(new):
        _open(store, database, sqlite_uri(new))
    with new.open("rb+") as file:
        os.fsync(file.fileno())
    for suffix in JOURNALS:
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    new.replace(database)


@contextmanager
def _unflushed(file: Path) -> Iterator[None]:
    """Let SQLite write this one file without waiting for the disk, as it does hundreds of times during the migrations.

    https://www.sqlite.org/pragma.html#pragma_synchronous
    """

    def hasten(connection: Any, _: Any) -> None:
        if not isinstance(connection, sqlite3.Connection):
            return
        with closing(connection.cursor()) as cursor:
            if any(opened and Path(opened) == file for _, _, opened in cursor.execute("PRAGMA database_list")):
                cursor.execute("PRAGMA synchronous = OFF")

    event.listen(Engine, "connect", hasten)
    try:
        yield
    finally:
        event.remove(Engine, "connect", hasten)


def _open(store: Store, database: Path, uri: str) -> None:
    """Let MLflow create and check its tables, and keep no connection to a file that may be replaced."""
    artifacts = store.artifacts or database.parent / ARTIFACTS
    SqlAlchemyStore(uri, artifacts.as_uri()).engine.dispose()  # type: ignore[no-untyped-call]


def _half_made(database: Path) -> bool:
    """Say whether the migrations of a database were cut off before anything was recorded."""
    with _connected(database) as connection:
        expected = ScriptDirectory(str(MIGRATIONS)).get_current_head()
        if MigrationContext.configure(connection).get_current_revision() == expected:
            return False
    with _connected(database) as connection:
        connection.exec_driver_sql("BEGIN EXCLUSIVE")
        found = MigrationContext.configure(connection).get_current_revision()
        if found == expected:
            return False
        tables = inspect(connection).get_table_names()
        filled = [
            table
            for table, which in RECORDS.items()
            if table in tables and connection.execute(text(f"select 1 from {table} {which} limit 1")).first()
        ]
    if filled:
        raise TrackerError(
            f"{database} holds records, but its schema ({found or 'unfinished'}) is not that of the installed MLflow"
            f" ({expected}); nothing in it is changed. Copy the file, then run:"
            f" mlflow db upgrade '{sqlite_uri(database)}'"
        )
    return True


def _follow(database: Path, warn: Callable[[str], None]) -> None:
    """Let the addresses of artifacts lead to this folder, where it was moved or copied after they were written."""
    here = database.parent
    with _connected(database) as connection, connection.begin():
        for home in _homes(connection):
            if home == here or (home.exists() and home.samefile(here)):
                continue
            moved = {(table, column): _rewrite(connection, table, column, home, here) for table, column in ADDRESSES}
            warn(
                f"tracking: the folder {home} is now {here}; the artifacts of {moved['runs', 'artifact_uri']} runs and"
                f" {moved['logged_models', 'artifact_location']} models are found there from now on"
            )


def _homes(connection: Connection) -> list[Path]:
    """List the folders in which the artifacts of our runs were to lie, beside their database."""
    ours = (
        "select distinct artifact_location from experiments where artifact_location like 'file:///%/artifacts'"
        " and experiment_id in (select experiment_id from runs join tags on tags.run_uuid = runs.run_uuid"
        " where tags.key = 'cgl.host')"
    )
    return [Path(url2pathname(urlsplit(address).path)).parent for (address,) in connection.execute(text(ours))]


def _rewrite(connection: Connection, table: str, column: str, home: Path, here: Path) -> int:
    old, new = f"{home.as_uri()}/{ARTIFACTS}", f"{here.as_uri()}/{ARTIFACTS}"
    change = (
        f"update {table} set {column} = :new || substr({column}, length(:old) + 1)"
        f" where {column} = :old or substr({column}, 1, length(:old) + 1) = :old || '/'"
    )
    return connection.execute(text(change), {"old": old, "new": new}).rowcount


@contextmanager
def _connected(database: Path) -> Iterator[Connection]:
    url = URL.create("sqlite", database=str(database))
    with create_engine(url, poolclass=NullPool, connect_args={"timeout": BUSY_SECONDS}).connect() as connection:
        yield connection
