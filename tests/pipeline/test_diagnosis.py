"""What a result says about how its student has learned: by which rows, and the same after every kill."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from cgl_ignite.analysis.diagnosis import Outcome, diagnose
from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.data import SUBSETS, Examples, Subsets
from cgl_ignite.handlers.checkpoint import read_checkpoint
from cgl_ignite.pipeline import RunResult, abandoned, hand_over, read_result, record, run, session
from cgl_ignite.pipeline import folder as folders
from cgl_ignite.pipeline.data import read_data
from cgl_ignite.pipeline.diagnosis import TRAINING_ROWS, learned_rows
from cgl_ignite.selection import Selected
from cgl_ignite.student import measure, read_student
from cgl_ignite.tracking.memory import MemoryTracker
from tests.student.runs import PIPELINE, SMALL


class Killed(BaseException):
    pass


def kill(*arguments: object, **options: object) -> None:
    raise Killed


def fail(*arguments: object) -> None:
    raise RuntimeError("no")


def setting(folder: Path, *changes: str) -> Pipeline:
    return load_pipeline(PIPELINE, [*SMALL, "run.epochs=8", "run.device=cpu", f"tracking.folder={folder}", *changes])


def train(folder: Path, *changes: str, resume: bool = False) -> RunResult:
    (result,) = run(setting(folder, *changes), tracker=MemoryTracker(), resume=resume)
    return result


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("whole")


@pytest.fixture(scope="module")
def whole(home: Path) -> RunResult:
    return train(home)


def test_the_figures_are_those_of_the_selected_student_on_what_it_read(whole: RunResult, home: Path) -> None:
    """Student k of three reads a third of 300 rows, in their order; nothing is augmented."""
    pipeline = setting(home)
    splits = read_data(pipeline).splits(1)
    assert len(splits.train) == 300
    state = read_checkpoint(Path(whole.checkpoint))
    groups = SUBSETS.build(pipeline.method.subsets, splits.train.targets, 3, 1).groups(0)
    own = splits.train.take(groups[whole.selected_student])
    training = measure(read_student(Path(whole.student))[0], own).accuracy
    assert len(own) == 100
    assert whole.training_accuracy == pytest.approx(training)
    history = [accuracy[whole.selected_student] for accuracy, *_ in state["selector"]["history"]]
    assert len(history) == 8
    outcome = Outcome(
        training, whole.holdout_accuracy, 100, history, students=3, divided=True, at_chance=bool(whole.at_chance)
    )
    assert whole.diagnosis == diagnose(outcome)
    assert read_result(Path(whole.checkpoint).parent / "result.json") == whole


@pytest.mark.parametrize("point", ["_write_student", "diagnose_run", "write_atomically", "keep_pictures"])
def test_a_run_killed_at_its_end_says_the_same_when_it_goes_on(
    whole: RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(hand_over, point, kill)
        patch.setattr(record, "_close", lambda *_: None)
        patch.setattr(session, "_ending", lambda *_: nullcontext())
        with pytest.raises(Killed):
            train(tmp_path)
    for module in (folders, abandoned):
        monkeypatch.setattr(module, "gone", lambda tags: True)
    again = train(tmp_path, resume=True)
    assert (again.diagnosis, again.training_accuracy) == (whole.diagnosis, whole.training_accuracy)
    assert again.diagnosis


def test_a_diagnosis_that_fails_is_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(hand_over, "diagnose_run", fail)
    result = train(tmp_path, "run.epochs=1")
    assert (result.diagnosis, result.training_accuracy) == (None, None)
    assert "the diagnosis of run run-2 could not be kept: no" in capsys.readouterr().err
    assert json.loads((Path(result.checkpoint).parent / "run.json").read_text())["status"] == "FINISHED"


def test_a_student_that_was_distilled_is_judged_by_its_own_epochs(tmp_path: Path) -> None:
    changes = ("run.epochs=8", "distil={epochs=2, start='selected'}", "data.limit=200")
    assert "so few epochs tell no more" in str(train(tmp_path, *changes).diagnosis)


def test_a_history_that_is_not_known_is_not_guessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a checkpoint of an older version has none."""
    with monkeypatch.context() as patch:
        patch.setattr(hand_over, "_write_student", kill)
        with pytest.raises(Killed):
            train(tmp_path)
    (path,) = tmp_path.rglob("checkpoint.pt")
    state = torch.load(path, weights_only=True)
    del state["selector"]["history"]
    torch.save(state, path)
    sentence = str(train(tmp_path, resume=True).diagnosis)
    assert "rising" not in sentence and sentence.startswith("training accuracy ")


def test_two_thousand_rows_of_the_sub_set_that_was_read_in_the_epoch() -> None:
    """Epoch 3 counts as 2 for the sub-sets; every class keeps its share."""
    targets = torch.arange(12_000) % 3
    train_part = Examples(torch.arange(12_000).view(-1, 1, 1, 1), targets)

    def groups(epoch: int) -> tuple[torch.Tensor, ...]:
        return (torch.arange(100), torch.arange(6000) + 1000 * epoch)

    subsets = Subsets((0, 1), (100, 6000), groups)
    rows = learned_rows(train_part, subsets, Selected(3, 1, 50.0), seed=1)
    numbers = rows.dense.flatten()
    assert len(numbers.unique()) == TRAINING_ROWS
    assert int(numbers.min()) >= 2000 and int(numbers.max()) < 8000
    assert sorted(rows.targets.bincount().tolist()) == [666, 667, 667]
    again = learned_rows(train_part, subsets, Selected(3, 1, 50.0), seed=1)
    assert torch.equal(again.dense, rows.dense)
    few = learned_rows(train_part, subsets, Selected(3, 0, 50.0), seed=1)
    assert few.dense.flatten().tolist() == list(range(100))
