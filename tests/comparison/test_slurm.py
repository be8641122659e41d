"""A comparison on a real SLURM cluster of one node: preempted, warned, cancelled, left alone and found again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cgl_ignite.catalogue import bind_methods
from cgl_ignite.comparison.compare import compare
from cgl_ignite.config.load import load_document
from cgl_ignite.tracking.memory import MemoryTracker
from tests.comparison.one_node import missing, one_node

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(bool(missing()), reason=missing()),
]
PIPELINE = Path(__file__).resolve().parents[2] / "pipelines" / "digits_resnet.toml"
CHANGES = ["backbone.width=4", "data.limit=400", "data.holdout=80", "run.epochs=60", "run.device=cpu"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with one_node(tmp_path_factory.mktemp("cluster")) as environment:
        yield environment


def start(environment: dict[str, str], *more: str, seeds: str = "1,2,3") -> subprocess.Popen[bytes]:
    changes = [part for change in CHANGES for part in ("--set", change)]
    command = [sys.executable, "-m", "cgl_ignite", "compare", str(PIPELINE), "--methods", "baseline,cgl"]
    command += ["--seeds", seeds, "--json", *changes, *more]
    environment = {name: value for name, value in environment.items() if not name.startswith("MLFLOW_")}
    with Path("stdout").open("wb") as stdout, Path("stderr").open("wb") as stderr:
        return subprocess.Popen(command, env=environment, stdout=stdout, stderr=stderr)


def wait_for(found: Callable[[], Any], process: subprocess.Popen[bytes], seconds: float = 500) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert process.poll() is None and time.monotonic() < deadline, Path("stderr").read_text("utf-8")
        time.sleep(0.2)
    return value


def working(folder: Path, besides: tuple[str, ...] = ()) -> str | None:
    """Name a job whose run has a checkpoint and goes on."""
    (known,) = folder.glob("mlruns/comparisons/*/jobs/jobs.json")
    jobs = json.loads(known.read_text("utf-8"))
    for path in folder.glob("mlruns/runs/*/run.json"):
        facts = json.loads(path.read_text("utf-8"))
        job = jobs[f"{facts['method']} seed {facts['seed']}"]
        if facts["status"] == "RUNNING" and (path.parent / "checkpoint.pt").exists() and job not in besides:
            return str(job)
    return None


def tell(environment: dict[str, str], *command: str) -> str:
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def warned(environment: dict[str, str], job: str | None) -> str | None:
    """Warn a job as SLURM does before its time is over; None if it has just ended."""
    command = ("scancel", "--signal=USR2", job or "none")
    return None if subprocess.run(command, env=environment, capture_output=True, check=False).returncode else job


def end(environment: dict[str, str], process: subprocess.Popen[bytes], seconds: float = 900) -> tuple[str, str]:
    """Wait for the end of the command and return what it printed; jobs need not wait two minutes to start again."""
    deadline = time.monotonic() + seconds
    pending = ("squeue", "--noheader", "--array", "--format=%i", "--states=PENDING")
    while process.poll() is None:
        assert time.monotonic() < deadline, Path("stderr").read_text("utf-8")
        for job in tell(environment, *pending).split():
            update = ("scontrol", "update", f"JobId={job}", "StartTime=now")
            subprocess.run(update, env=environment, capture_output=True, check=False)
        time.sleep(1)
    sys.stdout.write(stderr := Path("stderr").read_text("utf-8"))
    return Path("stdout").read_text("utf-8"), stderr


def table(tree: dict[str, Any]) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in tree["table"]]


def undisturbed(seeds: list[int]) -> list[dict[str, Any]]:
    document = load_document(PIPELINE, [*CHANGES, "tracking.folder=whole"])
    report = compare(bind_methods(document, ["baseline", "cgl"]), seeds, tracker=MemoryTracker())
    return table(json.loads(json.dumps(report.tree())))


def test_jobs_that_are_preempted_or_warned_go_on(workdir: Path, cluster: dict[str, str]) -> None:
    """Of six cells one is queued again by SLURM, one is warned; the table equals that of undisturbed runs."""
    process = start(cluster, "--executor", "slurm", "--slurm", "partition=low,time=30")
    wait_for(lambda: list(workdir.glob("mlruns/comparisons/*/jobs/jobs.json")), process)
    first = wait_for(lambda: working(workdir), process)
    tell(cluster, "scontrol", "requeue", first)
    second = wait_for(lambda: warned(cluster, working(workdir, (first,))), process)
    stdout, stderr = end(cluster, process)
    assert process.returncode == 0, stderr
    assert f"job {second} waits in the queue again" in stderr and f"job {first} waits" not in stderr
    assert stderr.count(" interrupted") >= 2 and "Traceback" not in stderr
    assert table(json.loads(stdout)) == undisturbed([1, 2, 3])
    assert len(list(workdir.glob("mlruns/runs/*"))) == 6


def test_a_job_with_notice_of_its_preemption_goes_on(workdir: Path, cluster: dict[str, str]) -> None:
    """A job of higher priority takes both processors: the running cells are saved, and wait in the queue again."""
    process = start(cluster, "--executor", "slurm", "--slurm", "partition=low,time=30", seeds="1")
    wait_for(lambda: list(workdir.glob("mlruns/comparisons/*/jobs/jobs.json")), process)
    wait_for(lambda: working(workdir), process)
    tell(cluster, "sbatch", "--partition=high", "--cpus-per-task=2", "--output=/dev/null", "--wrap=sleep 1")
    stdout, stderr = end(cluster, process)
    assert process.returncode == 0, stderr
    assert stderr.count("waits in the queue again") == 2
    assert table(json.loads(stdout)) == undisturbed([1])


def test_jobs_outlive_a_killed_process_and_end_with_ctrl_c(workdir: Path, cluster: dict[str, str]) -> None:
    slurm = ("--executor", "slurm", "--slurm", "partition=low,time=30")
    process = start(cluster, *slurm, seeds="1")
    wait_for(lambda: list(workdir.glob("mlruns/comparisons/*/jobs/jobs.json")), process)
    wait_for(lambda: working(workdir), process)
    process.kill()
    process.wait()

    again = start(cluster, *slurm, seeds="1")
    wait_for(lambda: Path("stderr").read_text("utf-8").count(" begins") == 2, again)
    os.kill(again.pid, signal.SIGINT)
    stdout, stderr = end(cluster, again)
    assert (again.returncode, stdout) == (130, ""), stderr
    assert len(list(workdir.glob("mlruns/comparisons/*/jobs/*_submission.sh"))) == 1
    assert tell(cluster, "squeue", "--noheader") == ""
    runs = [json.loads(path.read_text("utf-8")) for path in workdir.glob("mlruns/runs/*/run.json")]
    assert {run["status"] for run in runs} <= {"KILLED", "FINISHED"}

    here = start(cluster, seeds="1")
    stdout, stderr = end(cluster, here)
    assert here.returncode == 0, stderr
    assert table(json.loads(stdout)) == undisturbed([1])
    assert len(list(workdir.glob("mlruns/runs/*"))) == 2
