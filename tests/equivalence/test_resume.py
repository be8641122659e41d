"""A run stopped anywhere and resumed ends exactly as the uninterrupted one: weights, metrics, selection."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.presets import METHODS
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.errors import Interrupted
from cgl_ignite.handlers.checkpoint import read_checkpoint
from cgl_ignite.pipeline import RunResult, find_run, run
from cgl_ignite.tracking import RunInfo
from cgl_ignite.tracking.files import read_rows
from cgl_ignite.tracking.memory import MemoryTracker

PIPELINE = Path(__file__).resolve().parents[2] / "pipelines" / "digits_resnet.toml"
SMALL = ["backbone.width=4", "run.epochs=4", "data.limit=600", "data.holdout=100"]
EPOCH = 4
TIMINGS = ("speed/", "system/")


class Stop(BaseException):
    """Ends a run without any chance to save, as a kill does."""


class StoppingScreen:
    """A screen that stops the run after some iteration, or raises at the epoch's end."""

    def __init__(self, iteration: int, stop: type[BaseException]) -> None:
        self.at, self.stop = iteration, stop

    def iteration(self, state: Any) -> None:
        if state.iteration == self.at:
            raise self.stop

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: None


def pipeline(folder: Path, *changes: str) -> Pipeline:
    return load_pipeline(PIPELINE, [*SMALL, f"tracking.folder={folder}", *changes])


def outcome(folder: Path, run_id: str) -> dict[str, Any]:
    """Everything about a run but its name and its timings."""
    place = find_run(folder / "runs", run_id)
    state = read_checkpoint(place.checkpoint)
    result = json.loads(place.result.read_text())
    rows = [
        (row.epoch, row.final, {key: value for key, value in row.values.items() if not key.startswith(TIMINGS)})
        for row in read_rows(place.path / "metrics.jsonl")
    ]
    tensors: dict[str, Any] = {
        name: state[name] for name in ("pool", "optimizer", "selector", "trainer", "average") if name in state
    }
    tensors["sums"] = state["averages"]["sums"]
    named = (
        "selected_student",
        "selected_epoch",
        "holdout_accuracy",
        "test_accuracy",
        "mean_test_accuracy",
        "diversity",
    )
    return {"state": tensors, "rows": rows, "result": {name: result[name] for name in named}}


def assert_identical(first: Any, second: Any, where: str = "") -> None:
    if isinstance(first, torch.Tensor):
        assert torch.equal(first, second), where
    elif isinstance(first, dict):
        assert first.keys() == second.keys(), where
        for key in first:
            assert_identical(first[key], second[key], f"{where}/{key}")
    elif isinstance(first, (list, tuple)):
        assert len(first) == len(second), where
        for index, pair in enumerate(zip(first, second, strict=True)):
            assert_identical(*pair, f"{where}/{index}")
    else:
        assert first == second, where


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("whole")
    (result,) = run(pipeline(folder), tracker=MemoryTracker())
    return outcome(folder, result.run_id)


STOPS = (1, 3, 4, 5, 8, 11, 15, 16)
CHECKPOINTS = ("{iterations = 3}", "{epochs = 1}", "{iterations = 1}")
IN_TURN = {(stop, CHECKPOINTS[turn % 3]) for turn, stop in enumerate(STOPS)}


@pytest.mark.parametrize(
    ("every", "stopped_at"),
    [
        pytest.param(every, stop, marks=() if (stop, every) in IN_TURN else pytest.mark.slow)
        for every in CHECKPOINTS
        for stop in STOPS
    ],
)
def test_killed_and_resumed(tmp_path: Path, uninterrupted: dict[str, Any], stopped_at: int, every: str) -> None:
    setting = pipeline(tmp_path, f"run.checkpoint_every={every}")
    tracker = MemoryTracker()
    with pytest.raises(Stop):
        run(setting, screen=StoppingScreen(stopped_at, Stop), tracker=tracker)
    (result,) = run(setting, resume=True, tracker=tracker)
    assert_identical(outcome(tmp_path, result.run_id), uninterrupted)


def test_students_that_learn_in_turn(tmp_path: Path) -> None:
    settings = [pipeline(tmp_path / name, 'method.update="in turn"', "run.epochs=2") for name in ("whole", "stopped")]
    (whole,) = run(settings[0], tracker=MemoryTracker())
    tracker = MemoryTracker()
    with pytest.raises(Stop):
        run(settings[1], screen=StoppingScreen(6, Stop), tracker=tracker)
    (result,) = run(settings[1], resume=True, tracker=tracker)
    assert_identical(outcome(tmp_path / "stopped", result.run_id), outcome(tmp_path / "whole", whole.run_id))


def test_metrics_and_a_selection_by_one_of_them(tmp_path: Path) -> None:
    changes = ['method.selection={kind="best", by="macro_f1"}', 'run.metrics=["log_loss", "recall"]', "run.epochs=3"]
    settings = [pipeline(tmp_path / name, *changes) for name in ("whole", "stopped")]
    (whole,) = run(settings[0], tracker=MemoryTracker())
    tracker = MemoryTracker()
    with pytest.raises(Stop):
        run(settings[1], screen=StoppingScreen(10, Stop), tracker=tracker)
    (result,) = run(settings[1], resume=True, tracker=tracker)
    assert_identical(outcome(tmp_path / "stopped", result.run_id), outcome(tmp_path / "whole", whole.run_id))
    assert result.metrics == whole.metrics
    assert whole.metrics is not None
    assert list(whole.metrics) == ["macro_f1", "log_loss", "recall"]
    history = [row.values for row in read_rows(Path(whole.checkpoint).parent / "metrics.jsonl") if not row.final]
    values = [row[f"holdout/macro_f1/student_{student}"] for row in history for student in range(3)]
    kept = history[whole.selected_epoch - 1][f"holdout/macro_f1/student_{whole.selected_student}"]
    assert kept == max(values)
    (final,) = [row.values for row in read_rows(Path(whole.checkpoint).parent / "metrics.jsonl") if row.final]
    assert final["test/log_loss_selected"] == whole.metrics["log_loss"]
    assert final["test/recall/class_9"] == whole.metrics["recall"]["9"]


@pytest.mark.parametrize(
    "changes",
    [
        ['data.balance="sampling"'],
        ['data.balance="loss"', 'data.augment={kind="mixup"}', "method.loss.label_smoothing=0.1"],
    ],
    ids=["sampling", "loss"],
)
def test_balanced_classes(tmp_path: Path, changes: list[str]) -> None:
    changes = [*changes, "run.epochs=2", "run.checkpoint_every={iterations = 3}", "method.subsets.stratified=true"]
    settings = [pipeline(tmp_path / name, *changes) for name in ("whole", "stopped")]
    (whole,) = run(settings[0], tracker=MemoryTracker())
    tracker = MemoryTracker()
    with pytest.raises(Stop):
        run(settings[1], screen=StoppingScreen(7, Stop), tracker=tracker)
    (result,) = run(settings[1], resume=True, tracker=tracker)
    assert_identical(outcome(tmp_path / "stopped", result.run_id), outcome(tmp_path / "whole", whole.run_id))


@pytest.mark.slow
@pytest.mark.parametrize("balance", ["loss", "sampling"])
@pytest.mark.parametrize("preset", METHODS)
def test_every_method_trains_with_balanced_classes(tmp_path: Path, preset: str, balance: str) -> None:
    """Weights and draws that differ from class to class change what every method learns."""
    results = []
    for name in ("none", balance):
        tree = [f'method.preset="{preset}"', f'data.balance="{name}"', "run.epochs=1", "method.students=3"]
        students = [] if preset != "baseline" else ["method.students=1"]
        (result,) = run(pipeline(tmp_path / name, *tree, *students), tracker=MemoryTracker())
        results.append(read_checkpoint(Path(result.checkpoint))["pool"])
    assert results[0].keys() == results[1].keys()
    assert any(not torch.equal(value, results[1][key]) for key, value in results[0].items())


def test_stopped_twice(tmp_path: Path, uninterrupted: dict[str, Any]) -> None:
    setting, tracker = pipeline(tmp_path), MemoryTracker()
    for stopped_at in (6, 13):
        with pytest.raises(Interrupted):
            run(setting, resume=True, screen=StoppingScreen(stopped_at, Interrupted), tracker=tracker)
    (result,) = run(setting, resume=True, tracker=tracker)
    assert_identical(outcome(tmp_path, result.run_id), uninterrupted)
    (record,) = [run for run in tracker.runs.values() if run.info.seed is not None]
    assert [row.epoch for row in record.rows if not row.final] == [1, 2, 3, 4]
    assert record.status == "FINISHED"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_while_the_run_is_being_set_up(
    tmp_path: Path, uninterrupted: dict[str, Any], number: signal.Signals
) -> None:
    """It waits for the first iteration, so that the run is saved, and known as stopped."""

    class SignallingTracker(MemoryTracker):
        def open(self, info: RunInfo) -> str:
            run_id = super().open(info)
            if info.seed is not None:
                signal.raise_signal(number)
            return run_id

    before = signal.signal(number, signal.SIG_IGN)
    try:
        setting, tracker = pipeline(tmp_path), SignallingTracker()
        with pytest.raises(Interrupted):
            run(setting, tracker=tracker)
    finally:
        signal.signal(number, before)
    (record,) = [record for record in tracker.runs.values() if record.info.seed is not None]
    (place,) = (tmp_path / "runs").iterdir()
    assert (record.status, json.loads((place / "run.json").read_text())["status"]) == ("KILLED", "KILLED")
    (result,) = run(setting, resume=True, tracker=tracker)
    assert_identical(outcome(tmp_path, result.run_id), uninterrupted)


def test_a_finished_run_returns_its_result(tmp_path: Path) -> None:
    setting, tracker = pipeline(tmp_path, "run.epochs=1"), MemoryTracker()
    first = run(setting, tracker=tracker)
    assert run(setting, resume=True, tracker=tracker) == first
    assert len(tracker.runs) == 2


def test_another_setting_is_not_resumed(tmp_path: Path) -> None:
    tracker = MemoryTracker()
    with pytest.raises(Interrupted):
        run(pipeline(tmp_path), screen=StoppingScreen(2, Interrupted), tracker=tracker)
    (result,) = run(pipeline(tmp_path, "run.epochs=1"), resume=True, tracker=tracker)
    assert result.run_id != next(run for run, record in tracker.runs.items() if record.info.seed is not None)


def command(folder: Path, *more: str) -> list[str]:
    options = [part for change in (*SMALL, f"tracking.folder={folder}", "run.epochs=12") for part in ("--set", change)]
    return [sys.executable, "-m", "cgl_ignite", "run", str(PIPELINE), *options, "--json", *more]


def finish(folder: Path, *more: str) -> RunResult:
    done = subprocess.run(command(folder, *more), capture_output=True, text=True, check=True)
    return RunResult(**json.loads(done.stdout))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_by_the_system(tmp_path: Path) -> None:
    """SIGKILL at ten random moments of a run that saves every two iterations."""
    whole = finish(tmp_path / "whole")
    expected = outcome(tmp_path / "whole", whole.run_id)
    moments = random.Random(1)
    for number in range(10):
        folder = tmp_path / f"killed-{number}"
        every = ("--set", "run.checkpoint_every={iterations = 2}")
        process = subprocess.Popen(command(folder, *every), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while not list(folder.glob("runs/*/checkpoint.pt")) and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 2.5))
        process.send_signal(signal.SIGKILL)
        process.wait()
        resumed = finish(folder, *every, "--resume")
        assert_identical(outcome(folder, resumed.run_id), expected)
