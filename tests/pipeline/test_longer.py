"""``--resume`` with other settings: a longer training goes on, anything else is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.errors import Interrupted
from cgl_ignite.pipeline import RunResult, find_run, run
from cgl_ignite.pipeline.longer import first_difference
from cgl_ignite.tracking.files import read_rows
from cgl_ignite.tracking.memory import MemoryTracker
from tests.equivalence.test_resume import PIPELINE, StoppingScreen, assert_identical, outcome

SMALL = ["backbone.width=8", "method.students=2", "run.epochs=1", "data.limit=200", "data.holdout=50", "run.device=cpu"]
EVEN = ("method.ramp={start = 0.0, end = 0.0}", "optim.schedule={kind = 'constant'}", "run.epochs=3")
LONG = (*EVEN, "run.epochs=5")


def pipeline(folder: Path, *changes: str) -> Pipeline:
    return load_pipeline(PIPELINE, [*SMALL, f"tracking.folder={folder}", *changes])


class Notes(StoppingScreen):
    """Remembers the notes; may stop in an epoch."""

    def __init__(self, epoch: int | None = None) -> None:
        super().__init__(-1, Interrupted)
        self.epoch_to_stop = epoch
        self.notes: list[str] = []

    def iteration(self, state: Any) -> None:
        if state.epoch == self.epoch_to_stop:
            raise Interrupted

    def note(self, text: str) -> None:
        self.notes.append(text)


def resumed(folder: Path, tracker: MemoryTracker, *changes: str) -> tuple[RunResult, list[str]]:
    screen: Any = Notes()
    (result,) = run(pipeline(folder, *changes), resume=True, screen=screen, tracker=tracker)
    return result, [note for note in screen.notes if "begins" in note or "goes on" in note]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("whole")
    (result,) = run(pipeline(folder, *LONG), tracker=MemoryTracker())
    return outcome(folder, result.run_id)


@pytest.mark.parametrize("stop", [None, 6, 8], ids=["finished", "within an epoch", "after an epoch"])
def test_a_longer_training_goes_on_from_the_shorter_one(tmp_path: Path, whole: Any, stop: int | None) -> None:
    tracker, short = MemoryTracker(), pipeline(tmp_path, *EVEN)
    if stop is None:
        run(short, tracker=tracker)
    else:
        with pytest.raises(Interrupted):
            run(short, screen=StoppingScreen(stop, Interrupted), tracker=tracker)
    (before,) = (tmp_path / "runs").iterdir()
    kept = {path.name: path.read_bytes() for path in before.iterdir() if path.is_file()}
    result, (note,) = resumed(tmp_path, tracker, *LONG)
    assert f"run {before.name[:8]} of 3 epochs goes on after epoch" in note
    assert result.run_id != before.name
    assert_identical(outcome(tmp_path, result.run_id), whole)
    assert {path.name: path.read_bytes() for path in before.iterdir() if path.is_file()} == kept
    assert find_run(tmp_path / "runs", result.run_id).facts["continued_from"] == before.name
    record = tracker.runs[result.run_id]
    assert record.info.tags["cgl.continued_from"] == before.name
    assert [(row.epoch, row.final) for row in record.rows] == [(epoch, False) for epoch in range(1, 6)] + [(5, True)]
    assert len(read_rows(tmp_path / "runs" / result.run_id / "metrics.jsonl")) == 6


def test_a_longer_training_that_was_stopped_is_resumed_like_any_other(tmp_path: Path, whole: Any) -> None:
    tracker = MemoryTracker()
    run(pipeline(tmp_path, *EVEN), tracker=tracker)
    with pytest.raises(Interrupted):
        run(pipeline(tmp_path, *LONG), resume=True, screen=Notes(epoch=5), tracker=tracker)
    result, notes = resumed(tmp_path, tracker, *LONG)
    assert notes == []
    assert_identical(outcome(tmp_path, result.run_id), whole)
    assert len(list((tmp_path / "runs").iterdir())) == 2


def test_another_schedule_so_far_is_named_and_a_new_run_begins(tmp_path: Path) -> None:
    tracker, halved = MemoryTracker(), "optim.schedule={kind = 'milestones', at = [0.4], factor = 0.5}"
    (first,) = run(pipeline(tmp_path, *EVEN, halved), tracker=tracker)
    result, (note,) = resumed(tmp_path, tracker, *LONG, halved)
    expected = "the learning rate of epoch 2 was 0.002, in 5 epochs it is 0.004; a new run begins"
    assert note == f"run {first.run_id[:8]} of 3 epochs cannot go on: {expected}"
    assert "continued_from" not in find_run(tmp_path / "runs", result.run_id).facts


@pytest.mark.parametrize(
    ("changes", "begun", "reason"),
    [
        ((), 3, None),
        (("optim.schedule={kind = 'milestones', at = [0.9]}",), 2, None),
        (("optim.schedule={kind = 'milestones', at = [0.9]}",), 3, None),
        (("optim.schedule={kind = 'milestones', at = [0.6]}",), 2, None),
        (("optim.schedule={kind = 'milestones', at = [0.6]}",), 3, "learning rate of epoch 3 was 0.002, in 5 epochs"),
        (("method.ramp={start = 0.0, end = 1.0}",), 1, None),
        (("method.ramp={start = 0.0, end = 1.0}",), 2, "weight of imitation of epoch 2 was 0.108368, in 5 epochs"),
    ],
)
def test_only_the_epochs_that_have_begun_are_compared(
    tmp_path: Path, changes: tuple[str, ...], begun: int, reason: str | None
) -> None:
    found = first_difference(pipeline(tmp_path, *LONG, *changes), 3, begun)
    assert found is None if reason is None else found is not None and reason in found


def test_what_is_different_is_named(tmp_path: Path) -> None:
    tracker = MemoryTracker()
    with pytest.raises(Interrupted):
        run(pipeline(tmp_path), screen=StoppingScreen(2, Interrupted), tracker=tracker)
    (before,) = (tmp_path / "runs").iterdir()
    _, (note,) = resumed(tmp_path, tracker, "optim.learning_rate=0.003", "data.limit=180")
    assert note == (
        f"no unfinished run with these settings; run {before.name[:8]} differs in data.limit (200 there, 180 here),"
        " optim.learning_rate (0.004 there, 0.003 here): a new run begins"
    )


def test_nothing_to_go_on_with(tmp_path: Path) -> None:
    _, notes = resumed(tmp_path, MemoryTracker())
    assert notes == ["no unfinished run of digits_resnet with seed 1: a new run begins"]


def test_a_shorter_training_is_no_continuation(tmp_path: Path) -> None:
    tracker = MemoryTracker()
    with pytest.raises(Interrupted):
        run(pipeline(tmp_path, *LONG), screen=StoppingScreen(2, Interrupted), tracker=tracker)
    _, (note,) = resumed(tmp_path, tracker, *EVEN)
    assert "run.epochs (5 there, 3 here)" in note
