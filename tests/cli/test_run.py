"""``cgl run`` as a user sees it: what it prints where, what it leaves, how it stops and goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from mlflow import MlflowClient

from cgl_ignite.cli.main import cgl

PIPELINE = Path(__file__).resolve().parents[2] / "pipelines" / "digits_resnet.toml"
QUICK = ["backbone.width=2", "data.limit=300", "data.holdout=50"]
KEYS = {
    "run_id", "seed", "method", "dataset", "backbone", "students", "selected_student", "selected_epoch",
    "holdout_accuracy", "test_accuracy", "mean_test_accuracy", "diversity", "parameters", "parameters_student",
    "train_seconds", "samples_per_second", "checkpoint", "tracking_uri", "student", "model",
    "holdout_standard_error", "chance_accuracy", "at_chance", "training_accuracy", "diagnosis",
    "tracked", "metrics",
}  # fmt: skip


def command(*more: str, epochs: int = 2) -> list[str]:
    changes = [part for change in (*QUICK, f"run.epochs={epochs}") for part in ("--set", change)]
    return [sys.executable, "-m", "cgl_ignite", "run", str(PIPELINE), *changes, *more]


def cgl_run(*more: str, epochs: int = 2) -> Result:
    """Run the same in this process, which spares the seconds of a start."""
    return CliRunner().invoke(cgl, command(*more, epochs=epochs)[3:])


def test_two_seeds_in_one_group_of_mlflow(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["cgl", "run", str(PIPELINE)])
    done = cgl_run("--seed", "3", "--seed", "4", "--json")
    assert done.exit_code == 0, done.stderr
    answer = json.loads(done.stdout)
    assert {"runs", "mean", "std"} == answer.keys()
    assert [result["seed"] for result in answer["runs"]] == [3, 4]
    assert all(result.keys() == KEYS for result in answer["runs"])
    scores = [result["test_accuracy"] for result in answer["runs"]]
    assert answer["mean"]["test_accuracy"] == pytest.approx(sum(scores) / 2)
    assert answer["std"]["test_accuracy"] == pytest.approx(abs(scores[0] - scores[1]) / 2**0.5)

    client = MlflowClient(f"sqlite:///{workdir / 'mlruns' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("digits_resnet")
    runs = {run.info.run_id: run for run in client.search_runs([experiment.experiment_id])}
    children = [runs.pop(result["run_id"]) for result in answer["runs"]]
    (parent,) = runs.values()
    assert {child.data.tags["mlflow.parentRunId"] for child in children} == {parent.info.run_id}
    assert {run.info.status for run in (parent, *children)} == {"FINISHED"}
    assert all(result["tracked"] is True for result in answer["runs"])
    assert parent.data.metrics == {}
    assert f"{answer['mean']['test_accuracy']:.2f}" in parent.data.tags["mlflow.note.content"]
    recorded = children[0].data
    assert recorded.params["method.choose.probability"] == "0.25"
    assert recorded.params["method"] == "cgl"
    assert recorded.metrics["accuracy/test"] == pytest.approx(scores[0])
    assert len(client.get_metric_history(children[0].info.run_id, "students/accuracy/holdout/student_7")) == 2
    assert "# resnet8 on digits" in recorded.tags["mlflow.note.content"]
    assert recorded.tags["mlflow.source.name"] == f"cgl run {PIPELINE}"
    [data] = children[0].inputs.dataset_inputs
    assert (data.dataset.name, json.loads(data.dataset.profile)["test: rows"]) == ("digits", "360")
    names = {file.path for file in client.list_artifacts(children[0].info.run_id)}
    expected = {"pipeline.toml", "paths.json", "environment.json", "routing.png", "training.png", "diversity.png"}
    assert expected <= names
    for result in answer["runs"]:
        assert Path(result["student"]).exists() and Path(result["checkpoint"]).exists()


def test_the_student_is_what_it_prints(workdir: Path) -> None:
    done = cgl_run(epochs=1)
    assert done.exit_code == 0, done.stderr
    assert Path(done.stdout.strip()).name == "student.pt"
    assert "test accuracy" in done.stderr and "epoch 1/1" in done.stderr
    assert "\x1b" not in done.stderr
    again = cgl_run("--resume", "--quiet", epochs=1)
    assert (again.stdout, again.stderr) == (done.stdout, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_tells_how_to_go_on(workdir: Path, number: signal.Signals) -> None:
    """The signal comes to this process, as the command runs in it."""
    watching = threading.Thread(target=send_after_a_checkpoint, args=(workdir, number))
    watching.start()
    done = cgl_run("--json", epochs=500)
    watching.join()
    assert (done.exit_code, done.stdout) == (130, ""), done.stderr
    check_interrupted(workdir, number, done.stderr)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_gets_a_signal_saves_and_tells_how_to_go_on(workdir: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(command("--json", epochs=500), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 100
    while process.poll() is None and not list(workdir.glob("mlruns/runs/*/checkpoint.pt")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert stdout == ""
    check_interrupted(workdir, number, stderr)


def send_after_a_checkpoint(workdir: Path, number: signal.Signals) -> None:
    """Send this process a signal once its run has a checkpoint; without one, the run comes to its end."""
    deadline = time.monotonic() + 100
    while not list(workdir.glob("mlruns/runs/*/checkpoint.pt")):
        if time.monotonic() > deadline:
            return
        time.sleep(0.01)
    os.kill(os.getpid(), number)


def check_interrupted(workdir: Path, number: signal.Signals, stderr: str) -> None:
    assert "Traceback" not in stderr
    assert f"interrupted by {number.name}" in stderr and "--resume" in stderr
    (facts,) = [json.loads(path.read_text()) for path in workdir.glob("mlruns/runs/*/run.json")]
    assert facts["status"] == "KILLED"


def test_a_loss_that_explodes_fails_the_run(workdir: Path) -> None:
    done = cgl_run("--set", "optim.learning_rate=1e30", "--set", "optim.kind=sgd", "--json")
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "not finite" in done.stderr and "optim.learning_rate" in done.stderr and "Traceback" not in done.stderr
    (facts,) = [json.loads(path.read_text()) for path in workdir.glob("mlruns/runs/*/run.json")]
    assert facts["status"] == "FAILED"
