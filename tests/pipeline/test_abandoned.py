"""Runs that a killed process has left get the status that is true."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.errors import Interrupted
from cgl_ignite.pipeline import RunResult, find_run, run
from cgl_ignite.pipeline.abandoned import close_abandoned
from cgl_ignite.tracking.memory import MemoryTracker
from cgl_ignite.tracking.process import identity

PIPELINE = Path(__file__).resolve().parents[2] / "pipelines" / "digits_resnet.toml"
SMALL = ["backbone.width=8", "method.students=2", "run.epochs=1", "data.limit=200", "data.holdout=50"]


def pipeline(folder: Path, *changes: str) -> Pipeline:
    return load_pipeline(PIPELINE, [*SMALL, f"tracking.folder={folder}", *changes])


def dead_process() -> dict[str, str]:
    child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    return {**identity(), "cgl.pid": child.stdout.decode().strip(), "cgl.start": "1.00"}


def leave_running(folder: Path, result: RunResult, tracker: MemoryTracker) -> None:
    """Put a finished run and its group where a kill between the result and the end leaves them."""
    place = find_run(folder / "runs", result.run_id)
    place.note(status="RUNNING", process=dead_process())
    link = json.loads((place.path / "tracking.json").read_text())
    (place.path / "tracking.json").write_text(json.dumps({**link, "status": None, "settled": False}))
    for record in tracker.runs.values():
        record.status = "RUNNING"


def statuses(tracker: MemoryTracker) -> set[str]:
    return {record.status for record in tracker.runs.values()}


def status(folder: Path, result: RunResult) -> str:
    return str(find_run(folder / "runs", result.run_id).facts["status"])


@pytest.fixture
def left(tmp_path: Path) -> tuple[RunResult, MemoryTracker]:
    tracker = MemoryTracker()
    (result,) = run(pipeline(tmp_path), tracker=tracker)
    leave_running(tmp_path, result, tracker)
    return result, tracker


def test_a_run_with_its_result_is_finished_with_the_next_run(tmp_path: Path, left: Any) -> None:
    result, tracker = left
    before = {name: list(record.rows) for name, record in tracker.runs.items()}
    with pytest.raises(Interrupted):
        run(pipeline(tmp_path, "run.epochs=2"), screen=StoppingScreen(), tracker=tracker)
    assert status(tmp_path, result) == "FINISHED"
    group = find_run(tmp_path / "runs", result.run_id).facts["group"]
    assert [tracker.runs[name].status for name in (result.run_id, group)] == ["FINISHED", "FINISHED"]
    assert {name: tracker.runs[name].rows for name in before} == before


def test_a_run_with_its_result_is_finished_by_resuming_it(tmp_path: Path, left: Any) -> None:
    result, tracker = left
    assert run(pipeline(tmp_path), resume=True, tracker=tracker) == [result]
    assert (status(tmp_path, result), statuses(tracker)) == ("FINISHED", {"FINISHED"})


def test_a_run_without_its_predictions_is_completed_by_resuming_it(tmp_path: Path, left: Any) -> None:
    result, tracker = left
    place = find_run(tmp_path / "runs", result.run_id)
    before = place.predictions.read_bytes()
    place.predictions.unlink()
    close_abandoned(tmp_path / "runs", tracker, print)
    assert status(tmp_path, result) == "KILLED"
    (again,) = run(pipeline(tmp_path), resume=True, tracker=tracker)
    assert (again.run_id, again.test_accuracy) == (result.run_id, result.test_accuracy)
    assert place.predictions.read_bytes() == before
    assert status(tmp_path, result) == "FINISHED"


def test_a_run_without_a_result_is_killed(tmp_path: Path, left: Any) -> None:
    result, tracker = left
    find_run(tmp_path / "runs", result.run_id).result.unlink()
    close_abandoned(tmp_path / "runs", tracker, print)
    assert status(tmp_path, result) == "KILLED"


def test_a_group_of_which_a_seed_is_missing_is_not_finished(tmp_path: Path) -> None:
    tracker = MemoryTracker()
    first, second = run(pipeline(tmp_path, "seeds=[1,2]"), tracker=tracker)
    leave_running(tmp_path, first, tracker)
    leave_running(tmp_path, second, tracker)
    find_run(tmp_path / "runs", second.run_id).result.unlink()
    close_abandoned(tmp_path / "runs", tracker, print)
    group = find_run(tmp_path / "runs", first.run_id).facts["group"]
    names = (first.run_id, group)
    assert [tracker.runs[name].status for name in names] == ["FINISHED", "RUNNING"]
    assert [status(tmp_path, result) for result in (first, second)] == ["FINISHED", "KILLED"]


def test_a_group_whose_record_is_lost_is_recorded_again_as_it_was(tmp_path: Path, left: Any) -> None:
    result, tracker = left
    group = find_run(tmp_path / "runs", result.run_id).facts["group"]
    before = tracker.runs.pop(group)
    close_abandoned(tmp_path / "runs", tracker, print)
    (again,) = [record for record in tracker.runs.values() if record.info.seed is None]
    assert (again.info, again.status) == (before.info, "FINISHED")


def test_a_damaged_run_does_not_stop_the_others(tmp_path: Path, left: Any) -> None:
    result, tracker = left
    (tmp_path / "runs" / "damaged").mkdir()
    (tmp_path / "runs" / "damaged" / "run.json").write_text("{", encoding="utf-8")
    told: list[str] = []
    close_abandoned(tmp_path / "runs", tracker, told.append)
    assert status(tmp_path, result) == "FINISHED"
    assert len(told) == 1 and "damaged/run.json: not the description of a run" in told[0]
    assert told[0].endswith("; this run is passed over") and "\n" not in told[0]


@pytest.mark.parametrize("what", ["close", "_save_link"])
def test_the_folder_knows_the_end_though_the_record_cannot_be_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    class FillingScreen(StoppingScreen):
        def start(self, summary: Any) -> None:
            monkeypatch.setattr(f"cgl_ignite.tracking.journal.Journal.{what}", full)
            raise RuntimeError("a fault")

    with pytest.raises(RuntimeError, match="a fault"):
        run(pipeline(tmp_path), screen=FillingScreen(), tracker=MemoryTracker())
    (facts,) = [json.loads(path.read_text()) for path in tmp_path.glob("runs/*/run.json")]
    assert facts["status"] == "FAILED"


@pytest.mark.parametrize("where", ["keep_setting", "keep_data"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_run_that_ends_while_it_is_set_up_ends_truly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, error: type[BaseException]
) -> None:
    def fails(*_: Any) -> None:
        raise error

    monkeypatch.setattr(f"cgl_ignite.pipeline.record.{where}", fails)
    tracker = MemoryTracker()
    with pytest.raises(error):
        run(pipeline(tmp_path), tracker=tracker)
    expected = "KILLED" if error is KeyboardInterrupt else "FAILED"
    (facts,) = [json.loads(path.read_text()) for path in tmp_path.glob("runs/*/run.json")]
    assert (facts["status"], statuses(tracker)) == (expected, {expected})


def test_a_group_is_closed_when_its_run_cannot_be_assembled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: Any, **__: Any) -> None:
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("cgl_ignite.pipeline.train.assemble", stopped)
    tracker = MemoryTracker()
    with pytest.raises(KeyboardInterrupt):
        run(pipeline(tmp_path), tracker=tracker)
    assert statuses(tracker) == {"KILLED"}


class StoppingScreen:
    """Interrupts at the first iteration."""

    def iteration(self, state: Any) -> None:
        raise Interrupted("interrupted by a test")

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: None
