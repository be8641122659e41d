"""Where the runs are recorded: an address and, for databases, the folder of the artifacts."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cgl_ignite.errors import InputError, choices
from cgl_ignite.mounts import mount_of

__all__ = ["Store", "locate", "own_store", "refuse_remote_database", "sqlite_uri"]

DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
SERVERS = ("http", "https", "databricks", "databricks-uc", "uc")
SQLITE = ("sqlite", "sqlite+pysqlite")
ENCODED = re.compile("%[0-9A-Fa-f]{2}")
SERVER = (
    "mlflow server --host 0.0.0.0 --port 5000 --backend-store-uri postgresql://USER:PASSWORD@localhost/mlflow"
    " --artifacts-destination FOLDER"
)
DATABASE, ARTIFACTS = "mlflow.db", "artifacts"


@dataclass(frozen=True)
class Store:
    """An MLflow store; a server (``artifacts`` is None) decides itself where its artifacts go.

    Attributes:
        own: whether it is the database of a tracking folder, which moves with that folder.
    """

    uri: str
    artifacts: Path | None
    own: bool = field(default=False, compare=False)

    @property
    def database(self) -> Path | None:
        """The file of a SQLite store."""
        if not self.uri.startswith(SQLITE):
            return None
        name = _url(self.uri).database
        return Path(name) if name else None


def locate(folder: Path, uri: str | None = None) -> Store:
    """Find the store: the given URI, else ``$MLFLOW_TRACKING_URI``, else ``mlflow.db`` in the folder.

    A relative SQLite path is made absolute, so that the store does not follow the working directory.

    Raises:
        InputError: an address or a folder that MLflow cannot use.

    Example:
        >>> locate(Path("/home/me/mlruns"), "sqlite:////data/runs.db").uri
        'sqlite:////data/runs.db'
        >>> locate(Path("/home/me/100%"), "sqlite:////data/100%25/runs.db").artifacts
        PosixPath('/data/100%/artifacts')
        >>> locate(Path("/home/me/mlruns"), "http://localhost:5000").artifacts is None
        True
    """
    source, address = ("tracking.uri", uri) if uri else ("MLFLOW_TRACKING_URI", _environment())
    store = _given(folder, source, address) if address else own_store(folder)
    if store.artifacts is not None and (found := ENCODED.search(str(store.artifacts))):
        raise InputError(
            f"{str(store.artifacts.parent)!r}: MLflow takes {found.group()!r} in the path of a folder for another"
            " character and cannot load models from there; name another folder with tracking.folder, or rename this one"
        )
    return store


def refuse_remote_database(store: Store) -> Store:
    """Return a store whose SQLite file, if it has one, lies on a disk of this machine.

    SQLite relies on locks of the file system, which many network file systems do not keep
    (https://www.sqlite.org/faq.html#q5).

    Raises:
        InputError: it lies on another machine.
    """
    database = store.database
    mount = mount_of(database) if database is not None else None
    if mount is None or not mount.network:
        return store
    raise InputError(
        f"the SQLite database {database} would be on another machine ({mount}), where it may be damaged when several"
        " processes write to it; keep the database of a single machine on its own disk, such as"
        " tracking.uri = 'sqlite:////DISK/mlflow.db', or start a server as below and set"
        " tracking.uri = 'http://HOST:5000'",
        key="tracking.uri",
        example=SERVER,
    )


def own_store(folder: Path) -> Store:
    """Return the store of a tracking folder, whatever the environment says.

    Raises:
        InputError: a folder whose name cannot be written as an address.
    """
    folder = folder.expanduser().absolute()
    return Store(sqlite_uri(folder / DATABASE), folder / ARTIFACTS, own=True)


def sqlite_uri(path: Path, query: Mapping[str, Any] | None = None) -> str:
    """Write the address of a SQLite file, whatever characters its name holds.

    MLflow makes a folder of what follows ``sqlite:///`` before it decodes it; it leaves ``sqlite+pysqlite:///`` alone.

    Raises:
        InputError: a name that does not come back from the address.

    Example:
        >>> sqlite_uri(Path("/data/runs.db")), sqlite_uri(Path("/what?/runs.db"))
        ('sqlite:////data/runs.db', 'sqlite+pysqlite:////what%3F/runs.db')
    """
    from sqlalchemy.engine import URL

    try:
        url = URL.create(SQLITE[0], database=str(path), query=dict(query or {}))
        plain = URL.create(SQLITE[0], database=str(path)).render_as_string() == f"sqlite:///{path}"
        uri = url.set(drivername=SQLITE[not plain]).render_as_string(hide_password=False)
        readable = _url(uri).database == str(path)
    except UnicodeEncodeError:
        readable = False
    if not readable:
        raise InputError(
            f"{str(path.parent)!r}: MLflow cannot keep its database in a folder of this name;"
            " give another one with tracking.folder, or rename the folder"
        )
    return uri


def _given(folder: Path, source: str, address: str) -> Store:
    folder = folder.expanduser().absolute()
    scheme = urlsplit(address).scheme
    if scheme.partition("+")[0] not in DATABASES + SERVERS and not _folder_store_allowed(scheme):
        raise InputError(
            f"{source} = {address!r}: MLflow keeps runs in a database or on a server"
            f" (known: {choices(DATABASES + SERVERS[:2])}), for instance '{_example(folder)}'"
        )
    if scheme in SQLITE:
        return _sqlite_store(source, address, folder)
    return Store(address, None if scheme in SERVERS else folder / ARTIFACTS)


def _sqlite_store(source: str, address: str, folder: Path) -> Store:
    url = _url(address)
    if url.database in (None, "", ":memory:"):
        raise InputError(
            f"{source} = {address!r}: a database in memory ends with the process; name a file,"
            f" for instance '{_example(folder)}'"
        )
    path = Path(str(url.database)).absolute()
    return Store(sqlite_uri(path, url.query), path.parent / ARTIFACTS)


def _example(folder: Path) -> str:
    return sqlite_uri(folder / DATABASE)


def _url(address: str) -> Any:
    from sqlalchemy.engine import make_url

    return make_url(address)


def _environment() -> str | None:
    return os.environ.get("MLFLOW_TRACKING_URI")


def _folder_store_allowed(scheme: str) -> bool:
    return scheme in ("", "file") and os.environ.get("MLFLOW_ALLOW_FILE_STORE", "").lower() in ("true", "1")
