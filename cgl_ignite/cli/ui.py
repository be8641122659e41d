"""``cgl ui``: MLflow's pages for the runs of a folder, opened at the charts of the newest experiment."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlencode

import click

from cgl_ignite.errors import InputError, RunFailed

if TYPE_CHECKING:
    from cgl_ignite.tracking import Store

__all__ = ["ui"]

HOST = "127.0.0.1"
STARTING_SECONDS = 180.0
CHARTS = {
    "compareRunsMode": "CHART",
    "workflowType": "machine_learning",
    "orderByKey": "metrics.`accuracy/holdout`",
    "orderByAsc": "false",
}


@click.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("mlruns"),
    show_default=True,
    help="Where the runs are.",
)
@click.option("--uri", help="The store, if it is not in the folder and not in $MLFLOW_TRACKING_URI.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=5000,
    show_default=True,
    help="Where the pages are served.",
)
@click.option("--browser/--no-browser", default=True, help="Open a browser, or only print the address.")
@click.option("--print", "only_print", is_flag=True, help="Print the command and the address, and start nothing.")
def ui(folder: Path, uri: str | None, port: int, browser: bool, only_print: bool) -> None:
    """Show the recorded runs in MLflow's pages: charts of all runs of the newest experiment, side by side."""
    from cgl_ignite.tracking import locate

    store = locate(folder, uri)
    if store.uri.startswith(("http://", "https://")):
        _show(_charts(store, store.uri.rstrip("/")), browser and not only_print)
        return
    if store.database is not None and not store.database.is_file():
        raise InputError(f"no runs in {folder} ({store.database} is not there); another folder: cgl ui --folder FOLDER")
    command = _command(store, port)
    address = f"http://{HOST}:{port}"
    if only_print:
        click.echo(shlex.join(command), err=True)
        click.echo(_charts(store, address))
        return
    _check_port(port)
    click.echo("starting MLflow ...", err=True)
    with _server(command) as server:
        charts = _charts(store, address)
        _wait_until_up(server, address)
        _show(charts, browser)
        click.echo("Ctrl-C ends it", err=True)
        server.wait()
    raise RunFailed(f"the server has ended with exit code {server.returncode}")


def _charts(store: Store, address: str) -> str:
    """The address of the charts of all runs of the newest experiment.

    Sorted by anything but the date, the runs of the seeds stand beside their group, not hidden in it.
    """
    from cgl_ignite.tracking.mlflow import MLflowTracker

    experiment = MLflowTracker(store).newest_experiment()
    if experiment is None:
        return f"{address}/#/experiments"
    return f"{address}/#/experiments/{experiment}/runs?{urlencode(CHARTS)}"


def _command(store: Store, port: int) -> list[str]:
    place = [] if store.artifacts is None else ["--default-artifact-root", store.artifacts.as_uri()]
    return [
        *(sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store.uri, *place),
        *("--host", HOST, "--port", str(port), "--workers", "1", "--uvicorn-opts", "--log-level=warning"),
    ]


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise InputError(
                f"port {port} cannot be used ({error.strerror}); another one: cgl ui --port PORT"
            ) from error


@contextmanager
def _server(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run the server with all its workers until the block ends, also by Ctrl-C or SIGTERM.

    What it says is shown only if it ends by itself.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path}
    with TemporaryFile() as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        before = signal.signal(signal.SIGTERM, _stop)
        try:
            yield server
        except KeyboardInterrupt:
            raise click.exceptions.Exit(0) from None
        finally:
            signal.signal(signal.SIGTERM, before)
            if server.poll() is None:
                os.killpg(server.pid, signal.SIGTERM)
                server.wait()
            else:
                log.seek(0)
                click.echo(log.read().decode(errors="replace"), err=True)


def _stop(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _wait_until_up(server: subprocess.Popen[bytes], address: str) -> None:
    deadline = time.monotonic() + STARTING_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RunFailed(f"the server did not start (exit code {server.returncode}); see its messages above")
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise RunFailed(f"the server did not answer at {address} within {STARTING_SECONDS:.0f} seconds")


def _show(address: str, browser: bool) -> None:
    click.echo(address)
    graphical = sys.platform != "linux" or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    if browser and graphical:
        webbrowser.open(address)
