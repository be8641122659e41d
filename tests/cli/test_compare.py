"""``cgl compare`` as a user sees it: what it prints where, in child processes, killed and started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from mlflow import MlflowClient

from cgl_ignite.catalogue import bind_methods
from cgl_ignite.cli.main import cgl
from cgl_ignite.comparison.compare import compare
from cgl_ignite.config.load import load_document
from cgl_ignite.config.presets import METHODS
from cgl_ignite.tracking.memory import MemoryTracker

PIPELINE = Path(__file__).resolve().parents[2] / "pipelines" / "digits_resnet.toml"
QUICK = ["backbone.width=4", "data.limit=400", "data.holdout=80"]
RUN_KEYS = {"run_id", "seed", "method", "test_accuracy", "selected_student", "diversity", "train_seconds"}


def arguments(*more: str, epochs: int = 2) -> list[str]:
    changes = [part for change in (*QUICK, f"run.epochs={epochs}") for part in ("--set", change)]
    return ["compare", str(PIPELINE), "--methods", "baseline,cgl", "--seeds", "1,2", *changes, *more]


def child(*more: str, epochs: int = 2, **streams: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "cgl_ignite", *arguments(*more, epochs=epochs)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **streams)


def invoke(*more: str, epochs: int = 2) -> Result:
    return CliRunner().invoke(cgl, arguments(*more, epochs=epochs))


def table(tree: dict[str, Any]) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in tree["table"]]


def cells(folder: Path) -> dict[tuple[str, int], str]:
    (path,) = folder.glob("mlruns/comparisons/*/cells.json")
    return {(cell["method"], cell["seed"]): cell["status"] for cell in json.loads(path.read_text())["cells"]}


def wait_for(condition: Any, seconds: float = 100) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def resumable(workdir: Path) -> list[int]:
    """Name the processes that work on a run which has a checkpoint."""
    runs = [path for path in workdir.glob("mlruns/runs/*/run.json") if (path.parent / "checkpoint.pt").exists()]
    facts = [json.loads(path.read_text("utf-8")) for path in runs]
    return [int(run["process"]["cgl.pid"]) for run in facts if run["status"] == "RUNNING"]


@pytest.mark.slow
def test_a_killed_child_loses_its_run_only_and_the_same_command_goes_on(workdir: Path) -> None:
    """Two at a time; one dies in the middle, the other ends; then the table equals the undisturbed one."""
    document = load_document(PIPELINE, [*QUICK, "run.epochs=20", "tracking.folder=whole"])
    whole = compare(bind_methods(document, ["baseline", "cgl"]), [1], tracker=MemoryTracker())
    process = child("--jobs", "2", "--json", "--seeds", "1", epochs=20)
    victims: list[int] = []
    wait_for(lambda: victims.extend(resumable(workdir)) or victims or process.poll() is not None)
    os.kill(victims[0], signal.SIGKILL)
    stdout, stderr = process.communicate(timeout=200)
    assert (process.returncode, stdout) == (1, ""), stderr
    assert "SIGKILL" in stderr and "1 of 2 runs failed" in stderr and "Traceback" not in stderr
    assert sorted(cells(workdir).values()) == ["failed", "finished"]

    again = invoke("--json", "--seeds", "1", epochs=20)
    assert again.exit_code == 0, again.output
    assert "1 finished before" in again.stderr
    assert table(json.loads(again.stdout)) == table(json.loads(json.dumps(whole.tree())))
    assert len(list(workdir.glob("mlruns/runs/*"))) == 2

    client = MlflowClient(f"sqlite:///{workdir / 'mlruns' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("digits_resnet")
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if run is not parent]
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    assert sorted(run.data.tags["cgl.method"] for run in children) == ["baseline", "cgl"]
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert {"comparison.md", "accuracy.png"} <= {file.path for file in client.list_artifacts(parent.info.run_id)}
    for run in children:
        assert len(client.get_metric_history(run.info.run_id, "accuracy/holdout")) == 20
        assert run.data.params["method"] == run.data.tags["cgl.method"]
    assert parent.data.metrics == {}
    described = (workdir / "mlruns" / "comparisons" / parent.data.tags["cgl.comparison"] / "comparison.md").read_text()
    assert described.startswith(parent.data.tags["mlflow.note.content"].partition("\n")[0])


def test_a_signal_saves_every_run_and_tells_how_to_go_on(workdir: Path) -> None:
    """The command runs in this process, which gets the signal; both workers have one of their own."""
    started: dict[tuple[str, int], str] = {}

    def interrupt() -> None:
        wait_for(lambda: list(workdir.glob("mlruns/runs/*/checkpoint.pt")))
        started.update({name: cell for name, cell in cells(workdir).items() if cell == "running"})
        os.kill(os.getpid(), signal.SIGINT)

    watching = threading.Thread(target=interrupt)
    watching.start()
    done = invoke("--jobs", "2", "--json", epochs=500)
    watching.join()
    assert (done.exit_code, done.stdout) == (130, ""), done.stderr
    check_interrupted(workdir, "2", started, done.stderr)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_process_that_gets_a_signal_saves_every_run(workdir: Path, jobs: str) -> None:
    process = child("--jobs", jobs, "--json", epochs=500, start_new_session=True)
    wait_for(lambda: list(workdir.glob("mlruns/runs/*/checkpoint.pt")) or process.poll() is not None)
    started = {name: cell for name, cell in cells(workdir).items() if cell == "running"}
    os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=100)
    assert (process.returncode, stdout) == (130, ""), stderr
    check_interrupted(workdir, jobs, started, stderr)


def check_interrupted(workdir: Path, jobs: str, started: dict[tuple[str, int], str], stderr: str) -> None:
    command = f"cgl compare {PIPELINE} --methods baseline,cgl --seeds 1,2 --jobs {jobs} --set backbone.width=4"
    assert "interrupted by SIGINT" in stderr and command in stderr and "Traceback" not in stderr
    assert started
    assert cells(workdir) == dict.fromkeys(cells(workdir), "waiting") | dict.fromkeys(started, "interrupted")
    statuses = [json.loads(path.read_text())["status"] for path in workdir.glob("mlruns/runs/*/run.json")]
    assert set(statuses) == {"KILLED"}


def test_json_is_one_object(workdir: Path) -> None:
    done = invoke("--json", "--methods", "cgl,baseline", "-o", "tables", epochs=1)
    assert done.exit_code == 0, done.output
    tree = json.loads(done.stdout)
    assert {"runs", "mean", "std"} <= tree.keys()
    assert all(run.keys() > RUN_KEYS for run in tree["runs"])
    for name in ("cgl", "baseline"):
        scores = [run["test_accuracy"] for run in tree["runs"] if run["method"] == name]
        assert tree["mean"][name]["test_accuracy"] == pytest.approx(sum(scores) / 2)
        assert tree["std"][name]["test_accuracy"] == pytest.approx(abs(scores[0] - scores[1]) / 2**0.5)
    assert [row["method"] for row in tree["table"]] == ["cgl", "baseline"] and tree["reference"] == "baseline"
    assert {path.name for path in Path("tables").iterdir()} >= {"comparison.md", "comparison.csv", "accuracy.png"}
    again = invoke("--methods", "cgl,baseline", "--quiet", epochs=1)
    assert again.exit_code == 0 and "95 % interval" in again.stdout and again.stderr == ""
    assert all(len(line) <= 100 for line in again.stdout.splitlines()[:5])


def test_methods_of_a_plugin_are_known(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A preset that a plugin adds is found by its name; one that the plugin does not add is not."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    Path("compared_methods.py").write_text(
        "from cgl_ignite.config.presets import METHODS\n"
        "METHODS['mine'] = {**METHODS['baseline'], 'selection': {'kind': 'best'}}\n"
    )
    plugin = ["--set", "plugins=['compared_methods']"]
    try:
        done = invoke("--json", "--methods", "baseline, mine", "--seeds", "1", *plugin, epochs=1)
        missing = invoke("--methods", "mien", *plugin)
    finally:
        METHODS.pop("mine", None)
    assert done.exit_code == 0, done.output
    assert [row["method"] for row in json.loads(done.stdout)["table"]] == ["baseline", "mine"]
    assert (missing.exit_code, missing.stdout) == (2, "")
    assert "--methods: there is no method 'mien'; did you mean 'mine'?" in missing.stderr


def test_a_plugin_that_is_not_there_is_named(workdir: Path) -> None:
    done = invoke("--methods", "mine", "--set", "plugins=['no_such_methods']")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "plugins: cannot import 'no_such_methods'" in done.stderr and "there is no method" not in done.stderr


BAD = {
    "unknown method": (("--methods", "baseline,clg"), "'cgl'"),
    "no method": (("--methods", ""), "no method ''"),
    "seeds that are none": (("--seeds", "1,x"), "1,x"),
    "a negative seed": (("--seeds", "-1"), "-1"),
    "a seed twice": (("--seeds", "2,2"), "twice"),
    "no seeds": (("--seeds", ""), "1,2,3"),
    "no jobs": (("--jobs", "0"), "jobs"),
    "a method's option": (("--set", "method.students=3"), "methods.NAME.students"),
    "a bad option of a method": (("--set", "methods.cgl.students=0"), "methods.cgl.students"),
    "nothing equal": (("--equal", "cost=much"), "cost=2.5T, not 'cost=much'"),
    "a fault that all have": (("--set", "run.epochs=0"), "run.epochs"),
    "no such file": (("nowhere.toml",), "nowhere.toml"),
}


@pytest.mark.parametrize(("more", "hint"), BAD.values(), ids=BAD)
def test_bad_input_is_one_message(workdir: Path, more: tuple[str, ...], hint: str) -> None:
    done = CliRunner().invoke(cgl, ["compare", *([] if "nowhere" in more[0] else [str(PIPELINE)]), *more])
    assert done.exit_code == 2 and done.stdout == ""
    assert hint in done.stderr and "Traceback" not in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.lower().startswith("error")]) == 1
    assert not list(workdir.iterdir())


@pytest.mark.slow
def test_two_processes_share_the_cells_and_end_with_the_same_table(workdir: Path) -> None:
    """The first one leads, the second one joins: no cell is trained twice, each process trains some."""
    more = ("--json", "--join", "--methods", "cgl", "--seeds", "1,2,3,4")
    both = [child(*more, epochs=30) for _ in range(2)]
    printed = [process.communicate(timeout=250) for process in both]
    assert [process.returncode for process in both] == [0, 0], printed
    first, second = (json.loads(stdout) for stdout, _ in printed)
    assert first == second
    runs = [json.loads(path.read_text("utf-8")) for path in workdir.glob("mlruns/runs/*/run.json")]
    assert len(runs) == 4
    assert {int(run["process"]["cgl.pid"]) for run in runs} == {process.pid for process in both}


@pytest.mark.slow
def test_who_joins_goes_on_when_the_first_is_killed(workdir: Path) -> None:
    """The cell of the killed process is taken over from its checkpoint, and nothing is lost."""
    more = ("--json", "--methods", "cgl", "--seeds", "1,2")
    first = child(*more, epochs=150)
    wait_for(lambda: first.pid in resumable(workdir) or first.poll() is not None)
    second = child(*more, "--join", epochs=150)
    wait_for(lambda: second.pid in resumable(workdir) or second.poll() is not None)
    first.kill()
    first.communicate()
    stdout, stderr = second.communicate(timeout=250)
    assert second.returncode == 0, stderr
    assert len(json.loads(stdout)["runs"]) == 2 and len(list(workdir.glob("mlruns/runs/*"))) == 2
