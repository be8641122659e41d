"""The end of a run: its student and its result count, whatever becomes of the rest."""

from __future__ import annotations

import json
import shutil
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.pipeline import abandoned, artifacts, hand_over, read_result, record, run, session
from cgl_ignite.pipeline import folder as folders
from cgl_ignite.tracking import ModelRefused, own_store
from cgl_ignite.tracking.memory import MemoryTracker
from tests.student.runs import PIPELINE, SMALL
from tests.trackers import FailingGroups


class Notes:
    """A screen that keeps what it is told, but for the remark that one epoch is too short."""

    def __init__(self):
        self.told = []

    def note(self, text):
        if "most frequent class" not in text:
            self.told.append(text)

    def start(self, *arguments):
        pass

    iteration = epoch = interrupted = failed = finish = data = start


class Killed(BaseException):
    pass


def fail(*arguments, **options):
    raise RuntimeError("no\nmore detail")


@pytest.fixture
def setting(tmp_path):
    return load_pipeline(PIPELINE, [*SMALL, "run.epochs=1", "run.device=cpu", f"tracking.folder={tmp_path / 'mlruns'}"])


@pytest.fixture
def notes():
    return Notes()


def folder_of(result):
    return Path(result.checkpoint).parent


def names(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("broken", "note"),
    [
        ("keep_predictions", "the predictions of run run-2 could not be kept: no"),
        ("training_figure", "the pictures of run run-2 could not be kept: no"),
        ("student_model", "the student is not stored as a model in memory:: no; --resume tries again"),
    ],
)
def test_what_fails_after_the_result_is_a_note_and_the_run_is_finished(setting, notes, monkeypatch, broken, note):
    monkeypatch.setattr(artifacts if broken == "training_figure" else hand_over, broken, fail)
    tracker = MemoryTracker()
    [result] = run(setting, tracker=tracker, screen=notes)
    assert notes.told == [note]
    assert tracker.runs["run-2"].status == tracker.runs["run-1"].status == "FINISHED"
    assert json.loads((folder_of(result) / "run.json").read_text())["status"] == "FINISHED"
    assert read_result(folder_of(result) / "result.json") == result
    assert Path(result.student).is_file()
    assert (result.model is None) == (broken == "student_model")


def test_a_student_is_stored_later_if_memory_is_short_now(setting, notes, monkeypatch, programs):
    def short(*_, **__):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory")

    tracker = MemoryTracker()
    with monkeypatch.context() as patch:
        patch.setattr(torch.export, "export", short)
        [result] = run(setting, tracker=tracker, screen=notes)
    [note] = notes.told
    assert note.startswith("the student is not stored as a model in memory:: ")
    assert note.endswith("; --resume tries again")
    assert (result.model, result.tracked) == (None, False)
    [again] = run(setting, tracker=tracker, screen=notes, resume=True)
    assert again.run_id == result.run_id
    assert again.tracked and again.model is not None


def test_the_pictures_are_drawn(setting, pictures):
    [result] = run(setting, tracker=MemoryTracker())
    drawn = {path.name: path.read_bytes()[:4] for path in folder_of(result).glob("artifacts/*.png")}
    assert drawn == dict.fromkeys(("routing.png", "training.png", "diversity.png", "agreement.png"), b"\x89PNG")


def test_a_student_that_cannot_be_a_model_is_a_note_with_the_reason(setting, notes, monkeypatch):
    def refuse(self, run_id, model):
        raise ModelRefused("a branch on a value")

    monkeypatch.setattr(MemoryTracker, "model", refuse)
    tracker = MemoryTracker()
    [result] = run(setting, tracker=tracker, screen=notes)
    assert notes.told == ["the student is not stored as a model in memory:: a branch on a value"]
    assert (result.model, tracker.runs["run-2"].status) == (None, "FINISHED")
    assert run(setting, tracker=tracker, screen=notes, resume=True) == [result]
    assert len(notes.told) == 1


def test_the_model_is_sent_when_the_store_is_back_and_the_result_names_it(setting, notes, monkeypatch, programs):
    tracker = MemoryTracker()
    with monkeypatch.context() as patch:
        patch.setattr(hand_over, "keep_pictures", lambda *_: setattr(tracker, "down", True))
        [result] = run(setting, tracker=tracker, screen=notes)
    assert result.model is None
    assert any("and the student did not reach memory:" in note for note in notes.told)
    tracker.down = False
    [again] = run(setting, tracker=tracker, screen=notes, resume=True)
    assert again.model == "memory:/run-2/digits_resnet-student"
    assert (result.tracked, again.tracked) == (False, True)
    assert read_result(folder_of(again) / "result.json") == again
    assert {one.status for one in tracker.runs.values()} == {"FINISHED"}
    assert len(tracker.runs["run-2"].models) == 1
    assert run(setting, tracker=tracker, screen=notes, resume=True) == [again]
    assert len(tracker.runs["run-2"].models) == 1


@pytest.mark.parametrize("broken", ["open", "close"])
def test_a_run_whose_group_is_not_recorded_is_incomplete_until_it_is(setting, notes, broken):
    tracker = FailingGroups()
    tracker.broken = broken
    [result] = run(setting, tracker=tracker, screen=notes)
    assert result.tracked is False
    assert any("the group of runs failed" in note for note in notes.told)
    tracker.broken = ""
    [again] = run(setting, tracker=tracker, screen=notes, resume=True)
    assert again == replace(result, tracked=True)
    [(group, whole)] = [(name, one) for name, one in tracker.runs.items() if one.info.seed is None]
    [single] = [one for one in tracker.runs.values() if one.info.seed is not None]
    assert (single.info.parent, single.status, whole.status) == (group, "FINISHED", "FINISHED")
    assert f"{result.test_accuracy:.2f}" in whole.description
    calls = len(tracker.calls)
    assert run(setting, tracker=tracker, screen=notes, resume=True) == [again]
    assert set(tracker.calls[calls:]) == {"status"}


def test_a_deleted_store_gets_everything_again(setting, notes):
    tracker = MemoryTracker()
    [result] = run(setting, tracker=tracker, screen=notes)
    lost = tracker.runs["run-2"]
    tracker.runs = {}
    [again] = run(setting, tracker=tracker, screen=notes, resume=True)
    group, single = tracker.runs.values()
    assert single.info.parent == "run-1"
    assert (single.rows, single.files, single.status) == (lost.rows, lost.files, "FINISHED")
    assert group.status == "FINISHED"
    assert f"{result.test_accuracy:.2f}" in group.description
    assert len(single.models) == 1
    assert again == result


@pytest.mark.parametrize("point", ["keep_predictions", "keep_pictures", "student_model", "_keep_model"])
def test_a_run_that_is_killed_during_its_hand_over_is_completed_on_resume(setting, notes, monkeypatch, tmp_path, point):
    [whole] = run(setting, tracker=MemoryTracker(), screen=notes)
    expected = names(folder_of(whole))
    shutil.rmtree(tmp_path / "mlruns")
    tracker = MemoryTracker()
    with monkeypatch.context() as patch:
        patch.setattr(hand_over, point, kill)
        patch.setattr(record, "_close", lambda *_: None)
        patch.setattr(session, "_ending", lambda *_: nullcontext())
        with pytest.raises(Killed):
            run(setting, tracker=tracker, screen=notes)
    [folder] = (tmp_path / "mlruns" / "runs").iterdir()
    assert (folder / "result.json").is_file()
    for module in (folders, abandoned):
        monkeypatch.setattr(module, "gone", lambda tags: True)
    [result] = run(setting, tracker=tracker, screen=notes, resume=True)
    assert replace(result, train_seconds=0, samples_per_second=0) == replace(
        whole, train_seconds=0, samples_per_second=0
    )
    assert names(folder) == expected
    assert {one.status for one in tracker.runs.values()} == {"FINISHED"}
    assert len(tracker.runs["run-2"].models) == 1


def kill(*arguments, **options):
    raise Killed


def test_a_result_is_read_with_the_paths_of_where_it_lies(setting, tmp_path):
    tracker = MemoryTracker()
    tracker.uri = own_store(tmp_path / "mlruns").uri
    [result] = run(setting, tracker=tracker)
    (tmp_path / "mlruns").rename(tmp_path / "100%")
    place = tmp_path / "100%" / "runs" / result.run_id
    moved = read_result(place / "result.json")
    assert (moved.checkpoint, moved.student) == (str(place / "checkpoint.pt"), str(place / "student.pt"))
    assert moved.tracking_uri == own_store(tmp_path / "100%").uri
    elsewhere = json.loads((place / "result.json").read_text()) | {"tracking_uri": "http://localhost:5000"}
    (place / "result.json").write_text(json.dumps(elsewhere))
    assert read_result(place / "result.json").tracking_uri == "http://localhost:5000"
