"""A SQLite database on another machine is refused by every command that would write to it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from click.testing import CliRunner, Result

from cgl_ignite.cli.main import cgl
from cgl_ignite.errors import InputError
from cgl_ignite.tracking import Store, locate, refuse_remote_database

DIGITS = str(Path(__file__).resolve().parents[2] / "pipelines" / "digits_resnet.toml")
COMMANDS = (["check", DIGITS], ["run", DIGITS, "--device", "cpu"], ["compare", DIGITS, "--device", "cpu"])


@pytest.fixture
def remote(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the working folder lie on another machine."""
    table = [("/", "ext4"), (str(workdir), "nfs4")]
    mounts = [SimpleNamespace(mountpoint=point, fstype=kind, opts="rw") for point, kind in table]
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: mounts)
    return workdir


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_it_is_refused_with_the_line_that_starts_a_server(remote: Path, command: list[str]) -> None:
    done: Result = CliRunner().invoke(cgl, command)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.count("error:") == 1 and "Traceback" not in done.stderr
    assert f"{remote / 'mlruns' / 'mlflow.db'} would be on another machine (nfs4, mounted at {remote})" in done.stderr
    assert "mlflow server --host 0.0.0.0 --port 5000 --backend-store-uri postgresql://" in done.stderr
    assert "tracking.uri = 'http://HOST:5000'" in done.stderr
    assert not list(remote.iterdir())


def test_a_server_or_a_disk_of_this_machine_is_accepted(remote: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    here = tmp_path_factory.mktemp("here")
    for uri in ("http://localhost:5000", "postgresql://user@host/mlflow", f"sqlite:///{here}/mlflow.db"):
        assert refuse_remote_database(locate(remote / "mlruns", uri)) == locate(remote / "mlruns", uri)
    with pytest.raises(InputError, match="would be on another machine"):
        refuse_remote_database(locate(here, f"sqlite:///{remote}/mlflow.db"))
    assert refuse_remote_database(Store("http://localhost", None)).database is None
