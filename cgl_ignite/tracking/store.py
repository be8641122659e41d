"""Where the runs are recorded: an address and, for databases, the folder of the artifacts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cgl_ignite.errors import InputError, choices

__all__ = ["Store", "locate"]

DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
SERVERS = ("http", "https", "databricks", "databricks-uc", "uc")
SQLITE = "sqlite:///"


@dataclass(frozen=True)
class Store:
    """An MLflow store; a server (``artifacts`` is None) decides itself where its artifacts go."""

    uri: str
    artifacts: Path | None

    @property
    def database(self) -> Path | None:
        """The file of a SQLite store."""
        return Path(self.uri.removeprefix(SQLITE)) if self.uri.startswith(SQLITE) else None


def locate(folder: Path, uri: str | None = None) -> Store:
    """Find the store: the given URI, else ``$MLFLOW_TRACKING_URI``, else ``mlflow.db`` in the folder.

    A relative SQLite path is made absolute, so that the store does not follow the working directory.

    Raises:
        InputError: an address that MLflow cannot use.

    Example:
        >>> locate(Path("/home/me/mlruns"), "sqlite:////data/runs.db")
        Store(uri='sqlite:////data/runs.db', artifacts=PosixPath('/data/artifacts'))
        >>> locate(Path("/home/me/mlruns"), "http://localhost:5000")
        Store(uri='http://localhost:5000', artifacts=None)
    """
    source, address = ("tracking.uri", uri) if uri else ("MLFLOW_TRACKING_URI", _environment())
    folder = folder.expanduser().absolute()
    if not address:
        return Store(f"{SQLITE}{folder / 'mlflow.db'}", folder / "artifacts")
    scheme = urlsplit(address).scheme.partition("+")[0]
    if scheme not in DATABASES + SERVERS and not _folder_store_allowed(scheme):
        raise InputError(
            f"{source} = {address!r}: MLflow keeps runs in a database or on a server"
            f" (known: {choices(DATABASES + SERVERS[:2])}), for instance '{SQLITE}{folder / 'mlflow.db'}'"
        )
    if address.startswith(SQLITE):
        path = Path(address.removeprefix(SQLITE)).absolute()
        return Store(f"{SQLITE}{path}", path.parent / "artifacts")
    return Store(address, None if scheme in SERVERS else folder / "artifacts")


def _environment() -> str | None:
    return os.environ.get("MLFLOW_TRACKING_URI")


def _folder_store_allowed(scheme: str) -> bool:
    return scheme in ("", "file") and os.environ.get("MLFLOW_ALLOW_FILE_STORE", "").lower() in ("true", "1")
