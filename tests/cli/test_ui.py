from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import CliRunner

from cgl_ignite.cli import ui as page
from cgl_ignite.cli.main import cgl
from cgl_ignite.tracking import Journal, MetricsRow, RunInfo, locate, make_tracker


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    tracker = make_tracker(locate(folder, f"sqlite:///{folder / 'mlflow.db'}"))
    for seed in (1, 2):
        run_id = tracker.open(RunInfo("digits", f"seed {seed}", seed))
        tracker.log(run_id, [MetricsRow(epoch, epoch, {"holdout/accuracy_selected": 50.0 + epoch}) for epoch in (1, 2)])
    return folder


@pytest.fixture
def folder(template, workdir):
    shutil.copytree(template, workdir / "mlruns")
    return workdir / "mlruns"


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def invoke(*arguments):
    return CliRunner().invoke(cgl, ["ui", *map(str, arguments)])


def test_the_address_leads_to_the_charts_of_the_newest_experiment(folder):
    answer = invoke("--print", "--port", 5055)
    assert answer.exit_code == 0
    assert answer.stdout == (
        "http://127.0.0.1:5055/#/experiments/1/runs?compareRunsMode=CHART&workflowType=machine_learning"
        f"&orderByKey={quote('metrics.`accuracy/holdout`', safe='')}&orderByAsc=false\n"
    )
    command = answer.stderr.split()
    assert command[:4] == [sys.executable, "-m", "mlflow", "server"]
    assert f"sqlite:///{folder}/mlflow.db" in command
    assert command[command.index("--workers") + 1] == "1"


def test_a_folder_without_runs_is_named(workdir):
    answer = invoke("--folder", "nothing")
    assert answer.exit_code == 2
    assert f"no runs in nothing ({workdir}/nothing/mlflow.db is not there)" in answer.stderr
    assert answer.stdout == ""


def test_a_port_that_is_taken_is_named(folder, port):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        answer = invoke("--port", port)
    assert answer.exit_code == 2
    assert f"port {port} cannot be used" in answer.stderr
    assert "cgl ui --port PORT" in answer.stderr


def test_a_server_that_ends_at_once_is_told_with_its_words(folder, port, monkeypatch):
    script = "import sys; print('no such store'); sys.exit(3)"
    monkeypatch.setattr(page, "_command", lambda store, port: [sys.executable, "-c", script])
    answer = invoke("--port", port, "--no-browser")
    assert answer.exit_code == 1
    assert "no such store" in answer.stderr
    assert "exit code 3" in answer.stderr


def test_the_browser_is_opened_where_there_is_one(monkeypatch, capsys):
    opened = []
    monkeypatch.setattr(page.webbrowser, "open", opened.append)
    monkeypatch.setenv("DISPLAY", ":0")
    page._show("http://127.0.0.1:5000", browser=True)
    page._show("http://127.0.0.1:5000", browser=False)
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    page._show("http://127.0.0.1:5000", browser=True)
    assert opened == ["http://127.0.0.1:5000"]
    assert capsys.readouterr().out == "http://127.0.0.1:5000\n" * 3


@pytest.mark.slow
def test_the_pages_are_served_a_journal_writes_through_them_and_survives_their_end(folder, port, tmp_path):
    options = ["--folder", str(folder), "--port", str(port), "--no-browser"]
    server = subprocess.Popen(
        [sys.executable, "-m", "cgl_ignite", "ui", *options],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PATH": "/usr/bin:/bin"},
        cwd=Path(__file__).parents[2],
    )
    try:
        address = server.stdout.readline().strip()
        assert address.startswith(f"http://127.0.0.1:{port}/#/experiments/1/runs?")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
            assert b"<title>MLflow</title>" in answer.read()
        tracker = make_tracker(locate(tmp_path, f"http://127.0.0.1:{port}"))
        warnings = []
        journal = Journal.create(tmp_path / "runs", tracker, RunInfo("remote", "seed 1", 1), warnings.append)
        journal.log(1, {"a": 1.0})
        journal.text("note.txt", "hello")
        assert tracker.last_epoch(journal.run_id) == 1
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=60)
    assert server.returncode == 0
    started = time.monotonic()
    journal.log(2, {"a": 2.0})
    assert time.monotonic() - started < 30
    assert len(warnings) == 1
    assert [row.epoch for row in journal.rows] == [1, 2]
    stored = make_tracker(locate(folder))
    assert stored.last_epoch(journal.run_id) == 1
    assert Path(journal.folder, "metrics.jsonl").read_text().count("\n") == 2
