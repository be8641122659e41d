"""A training that explodes fails with a message, hands nothing over, and keeps what was saved before."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.errors import Interrupted, RunFailed
from cgl_ignite.handlers.checkpoint import all_finite, read_checkpoint
from cgl_ignite.handlers.selection import StudentSelector
from cgl_ignite.pipeline import run
from cgl_ignite.schedules import SCHEDULES, Schedule
from cgl_ignite.tracking.memory import MemoryTracker

PIPELINE = Path(__file__).resolve().parents[2] / "pipelines" / "digits_resnet.toml"
SMALL = ["backbone.width=8", "data.limit=76", "data.holdout=60", "method={preset='baseline'}", "run.epochs=3"]
"""Sixteen rows to learn from are one batch: an epoch is one iteration."""


@SCHEDULES.register("explode", listed=False)
def explode(epochs: int) -> Schedule:
    """Keep the learning rate until the last epoch, whose loss is finite while the weights after it are not."""
    return lambda done: 1e42 if done >= epochs - 1 else 1.0


class Screen:
    """Calls a function after every iteration."""

    def __init__(self, iteration: Any) -> None:
        self.iteration = iteration

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


def pipeline(folder: Path, *changes: str) -> Pipeline:
    return load_pipeline(PIPELINE, [*SMALL, f"tracking.folder={folder}", *changes])


def failed(setting: Pipeline, message: str, screen: Screen | None = None) -> Path:
    """Run a pipeline that fails with a message and hands nothing over, and return the folder of its run."""
    tracker = MemoryTracker()
    with pytest.raises(RunFailed, match=message):
        run(setting, tracker=tracker, screen=screen)  # type: ignore[arg-type]
    assert {record.status for record in tracker.runs.values()} == {"FAILED"}
    (place,) = (setting.tracking.folder / "runs").iterdir()
    assert not (place / "result.json").exists()
    assert not list(place.rglob("student*"))
    return place


@pytest.mark.parametrize("change", ["run.checkpoint_every.iterations=1", "run.checkpoint_every.epochs=1"])
def test_an_absurd_learning_rate(tmp_path: Path, change: str) -> None:
    setting = pipeline(tmp_path, "optim.learning_rate=1e38", "run.epochs=1", change)
    assert not (failed(setting, r"not finite .*optim\.learning_rate") / "checkpoint.pt").exists()


@pytest.mark.parametrize("change", ["run.checkpoint_every.iterations=1", "run.checkpoint_every.epochs=1"])
def test_an_explosion_in_the_last_epoch_keeps_the_state_before(tmp_path: Path, change: str) -> None:
    setting = pipeline(tmp_path, "optim.schedule={kind='explode'}", change)
    kept = read_checkpoint(failed(setting, r"not finite after .* 3") / "checkpoint.pt")
    assert kept["trainer"]["iteration"] == 2
    assert all_finite(kept["pool"].values())


def test_weights_that_are_not_finite_when_a_run_is_interrupted(tmp_path: Path) -> None:
    def interrupt(state: Any) -> None:
        if state.iteration == 3:
            raise Interrupted

    setting = pipeline(tmp_path, "optim.schedule={kind='explode'}", "run.checkpoint_every.iterations=2")
    kept = read_checkpoint(
        failed(setting, "weights are not finite after iteration 3", Screen(interrupt)) / "checkpoint.pt"
    )
    assert kept["trainer"]["iteration"] == 2


@pytest.mark.parametrize(("name", "value"), [("weight", math.nan), ("running_mean", math.nan), ("running_var", -9.0)])
def test_a_student_that_is_not_finite_is_not_handed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: float
) -> None:
    """Whatever has damaged it after it was selected; a negative variance is finite, and the answers are not."""
    lent = StudentSelector.selected_weights

    def damaged(selector: StudentSelector) -> Any:
        values = {key: value for key, value in selector.weights.items() if key.endswith(name)}
        next(iter(values.values())).view(-1)[0] = value
        return lent(selector)

    monkeypatch.setattr("cgl_ignite.pipeline.hand_over.keep_predictions", lambda *_: None)
    monkeypatch.setattr(StudentSelector, "selected_weights", damaged)
    failed(pipeline(tmp_path), "the selected student is not finite")


def test_all_finite() -> None:
    assert all_finite([])
    assert all_finite([torch.ones(2), torch.tensor(3), "text"])
    assert not all_finite([torch.ones(2), torch.tensor([1.0, float("inf")])])
    assert not all_finite([torch.tensor(float("nan"))])
