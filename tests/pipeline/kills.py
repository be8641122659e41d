"""Kill ``cgl run`` and ``cgl compare`` at moments all over their lives, and compare what is left with whole ones.

    python -m tests.pipeline.kills --runs 50 --comparisons 10 --seed 1

Each is killed (SIGKILL) once, imports and the creation of the store included, and called again until it has finished.
Of a comparison the parent dies alone, or with its children, in turns.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from mlflow import MlflowClient

from cgl_ignite.pipeline.find import all_runs
from cgl_ignite.student import read_student
from cgl_ignite.tracking.keys import EPOCH, mlflow_name
from tests.equivalence.test_resume import TIMINGS, assert_identical, outcome

__all__ = ["Check", "kill_comparisons", "kill_runs"]

REPOSITORY = Path(__file__).resolve().parents[2]
CHANGES = (
    "backbone.width=8", "run.epochs=3", "data.limit=200", "data.holdout=50", "run.checkpoint_every={iterations = 2}",
)  # fmt: skip
OWN = ("run_id", "train_seconds", "samples_per_second", "seconds", "checkpoint", "tracking_uri", "student", "model")
TEMPORARY = re.compile(r"tmp.*|\..+\.\d+|\.\d+\..+|\.model|.*\.new|.*-journal|.*\.tmp")


class Check:
    """One kind of command, how long it takes, and what it leaves when nothing disturbs it."""

    def __init__(self, place: Path, arguments: list[str], runs: int) -> None:
        self.place = place
        self.arguments = arguments
        self.runs = runs
        self.again = ["--resume"] if arguments[0] == "run" else []
        started = time.monotonic()
        self.finish(place / "whole", [])
        self.seconds = time.monotonic() - started
        self.expected = self.left(place / "whole")

    def start(self, folder: Path, more: list[str]) -> subprocess.Popen[str]:
        changes = (*CHANGES, f"tracking.folder={folder / 'mlruns'}")
        command = [sys.executable, "-m", "cgl_ignite", *self.arguments, "--json", "--quiet", *more]
        for change in changes:
            command += ["--set", change]
        (folder / "tmp").mkdir(parents=True, exist_ok=True)
        surroundings = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(folder / "tmp")}
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=surroundings, cwd=folder
        )

    def finish(self, folder: Path, more: list[str]) -> Any:
        process = self.start(folder, more)
        stdout, stderr = process.communicate()
        assert process.returncode == 0, stderr
        return json.loads(stdout)

    def kill(self, number: int, moment: float, *, alone: bool) -> Path:
        """Kill one after some seconds, or earlier if it has ended by then, and let it finish."""
        folder = self.place / f"killed-{number}"
        process = self.start(folder, [])
        time.sleep(moment)
        if process.poll() is not None:
            shutil.rmtree(folder)
            return self.kill(number, 0.9 * moment, alone=alone)
        family = [] if alone else psutil.Process(process.pid).children(recursive=True)
        for member in (psutil.Process(process.pid), *family):
            member.send_signal(signal.SIGKILL)
        process.communicate()
        self.finish(folder, self.again)
        return folder

    def compare(self, folder: Path) -> None:
        """Compare what is left with what an uninterrupted one leaves."""
        assert_identical(self.left(folder), self.expected)
        statuses = Counter(run.facts["status"] for run in all_runs(folder / "mlruns" / "runs"))
        assert set(statuses) <= {"FINISHED", "KILLED"} and statuses["FINISHED"] == self.runs, statuses
        check_store(folder / "mlruns", self.runs)
        rest = [str(path) for path in folder.rglob("*") if TEMPORARY.fullmatch(path.name) and path != folder / "tmp"]
        rest += [str(path) for path in (folder / "tmp").iterdir()]
        assert not rest, f"temporary files: {rest}"

    def left(self, folder: Path) -> Any:
        """Tell what the finished runs of a folder hold, without times and ids."""
        runs = folder / "mlruns" / "runs"
        finished = [run for run in all_runs(runs) if run.facts["status"] == "FINISHED"]
        return {f"{run.facts.get('method')} {run.facts['seed']}": contents(run.path) for run in finished}


def contents(run: Path) -> dict[str, Any]:
    with np.load(run / "artifacts" / "test_predictions.npz") as kept:
        predictions = {name: torch.from_numpy(kept[name].astype(np.int64)) for name in kept}
    student, _ = read_student(run / "student.pt")
    result = json.loads((run / "result.json").read_text())
    return {
        **outcome(run.parents[1], run.name),
        "predictions": predictions,
        "student": dict(student.state_dict()),
        "all": {key: value for key, value in result.items() if key not in OWN},
        "artifacts": sorted(path.name for path in (run / "artifacts").iterdir() if not path.name.startswith(".")),
    }


def check_store(folder: Path, runs: int) -> None:
    """No run is RUNNING, no metric has a step twice, and there is one model for each finished run."""
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    places = [experiment.experiment_id for experiment in client.search_experiments()]
    found = client.search_runs(places)
    statuses = Counter(run.info.status for run in found)
    assert set(statuses) <= {"FINISHED", "KILLED"} and statuses["FINISHED"] == runs + 1, statuses
    finished = {run.info.run_id for run in found if run.info.status == "FINISHED"}
    for run in found:
        for key in run.data.metrics:
            steps = [metric.step for metric in client.get_metric_history(run.info.run_id, key)]
            assert len(steps) == len(set(steps)), f"{key} of run {run.info.run_id}: steps {steps}"
            if run.info.run_id in finished and (folder / "runs" / run.info.run_id).is_dir():
                assert_recorded(folder / "runs" / run.info.run_id, key, client, run.info.run_id)
    models = client.search_logged_models(places)
    assert len(models) == runs, [model.source_run_id for model in models]
    assert {model.source_run_id for model in models} <= finished
    folders = {path.name for path in (folder / "artifacts").rglob("m-*") if path.is_dir()}
    assert folders == {model.model_id for model in models}, f"files of models: {folders}"
    results = [json.loads(path.read_text())["model"] for path in folder.glob("runs/*/result.json")]
    assert sorted(results) == sorted(f"models:/{model.model_id}" for model in models)


def assert_recorded(run: Path, key: str, client: MlflowClient, run_id: str) -> None:
    """MLflow has the values of the run's own file."""
    if key == EPOCH or key.startswith(TIMINGS):
        return
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    named = [(row["epoch"], {mlflow_name(name): value for name, value in row["values"].items()}) for row in rows]
    own = {epoch: values[key] for epoch, values in named if key in values}
    assert own == {metric.step: metric.value for metric in client.get_metric_history(run_id, key)}, key


def moments(count: int, seconds: float, seed: int) -> Iterator[float]:
    """Draw one moment in each of equal parts of a life, in any order."""
    draw = random.Random(seed)
    parts = list(range(count))
    draw.shuffle(parts)
    yield from ((part + draw.random()) / count * seconds for part in parts)


def kill_all(check: Check, count: int, seed: int) -> list[str]:
    """Kill as often as asked for; return what was wrong."""
    faults = []
    for number, moment in enumerate(moments(count, check.seconds, seed)):
        alone = bool(number % 2) or check.runs == 1
        what = f"{check.arguments[0]} {number}, killed {'' if alone else 'with its children '}after {moment:.2f} s"
        try:
            check.compare(check.kill(number, moment, alone=alone))
            sys.stderr.write(f"{what} of {check.seconds:.2f}: identical\n")
        except AssertionError as error:
            faults.append(f"{what}: {error}")
            sys.stderr.write(f"{faults[-1]}\n")
    return faults


def kill_runs(place: Path, count: int, seed: int) -> list[str]:
    """Kill ``cgl run``."""
    pipeline = str(REPOSITORY / "pipelines" / "digits_resnet.toml")
    return kill_all(Check(place, ["run", pipeline, "--set", "method.students=2"], 1), count, seed)


def kill_comparisons(place: Path, count: int, seed: int) -> list[str]:
    """Kill ``cgl compare --jobs 2``."""
    pipeline = str(REPOSITORY / "pipelines" / "digits_resnet.toml")
    methods = ["--methods", "baseline,cgl", "--seeds", "1,2", "--jobs", "2", "--set", "methods.cgl.students=2"]
    return kill_all(Check(place, ["compare", pipeline, *methods], 4), count, seed)


def main() -> None:
    """Read the counts, kill, and end with exit code 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=50, help="kills of cgl run")
    parser.add_argument("--comparisons", type=int, default=10, help="kills of cgl compare")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("--keep", type=Path, help="a folder for what the runs leave")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        place = options.keep or Path(scratch)
        faults = kill_runs(place / "runs", options.runs, options.seed) if options.runs else []
        faults += (
            kill_comparisons(place / "comparisons", options.comparisons, options.seed) if options.comparisons else []
        )
    sys.stderr.write(f"{options.runs + options.comparisons} kills, {len(faults)} faults\n")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
