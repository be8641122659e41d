from __future__ import annotations

import dataclasses
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgl_ignite.errors import InputError
from cgl_ignite.tracking import Group, Journal, ModelRefused, RunInfo, StudentModel, sync
from cgl_ignite.tracking.files import read_rows
from cgl_ignite.tracking.memory import MemoryTracker

INFO = RunInfo("digits", "cgl seed 1", 1, {"method.students": "8"})


def epochs(rows):
    return [row.epoch for row in rows]


def student(folder):
    assert list(folder.iterdir()) == []
    (folder / "half").write_text("written meanwhile")
    return StudentModel(None, None, (10,), "student", folder=folder)


class Warnings(list):
    def __call__(self, text):
        self.append(text)


def test_a_row_goes_to_the_file_and_to_the_tracker(tmp_path):
    tracker = MemoryTracker()
    journal = Journal.create(tmp_path, tracker, INFO)
    journal.log(1, {"holdout/accuracy_mean": 50.0})
    assert journal.folder == tmp_path / "run-1"
    assert journal.run_id == journal.tracked == "run-1"
    line = json.loads((journal.folder / "metrics.jsonl").read_text())
    assert (line["epoch"], line["values"]) == (1, {"holdout/accuracy_mean": 50.0})
    assert tracker.runs["run-1"].rows == journal.rows == read_rows(journal.folder / "metrics.jsonl")


def test_one_call_of_the_tracker_per_epoch(tmp_path):
    tracker = MemoryTracker()
    journal = Journal.create(tmp_path, tracker, INFO)
    tracker.calls.clear()
    for epoch in (1, 2, 3):
        journal.log(epoch, {f"key/student_{k}": 0.0 for k in range(64)})
    assert tracker.calls == ["log", "log", "log"]


def test_an_outage_costs_one_warning_and_no_row(tmp_path):
    tracker, warn = MemoryTracker(), Warnings()
    journal = Journal.create(tmp_path, tracker, INFO, warn)
    journal.log(1, {"a": 1.0})
    tracker.down = True
    journal.log(2, {"a": 2.0})
    journal.log(3, {"a": 3.0})
    assert len(warn) == 1
    assert "the store is down" in warn[0]
    tracker.down = False
    journal.log(4, {"a": 4.0})
    assert epochs(tracker.runs["run-1"].rows) == [1, 2, 3, 4]
    assert warn[1:] == ["tracking: the store answers again"]


def test_what_is_missing_is_sent_at_the_end(tmp_path):
    tracker = MemoryTracker()
    journal = Journal.create(tmp_path, tracker, INFO, Warnings())
    journal.guard.clock = lambda: 0.0
    tracker.down = True
    journal.log(1, {"a": 1.0})
    journal.guard._next_try = math.inf
    tracker.down = False
    journal.log(2, {"a": 1.0})
    assert tracker.runs["run-1"].rows == []
    journal.close("FINISHED")
    assert epochs(tracker.runs["run-1"].rows) == [1, 2]
    assert tracker.runs["run-1"].status == "FINISHED"


def test_a_tracker_that_cannot_be_opened_stops_nothing_and_gets_all_later(tmp_path):
    tracker, warn = MemoryTracker(), Warnings()
    tracker.down = True
    group = Group(tracker, INFO, warn=warn)
    assert group.id is None
    journal = Journal.create(tmp_path, tracker, INFO, warn)
    assert journal.tracked is None
    assert len(journal.run_id) == 32
    journal.log(1, {"a": 1.0})
    tracker.down = False
    journal.log(2, {"a": 1.0})
    assert epochs(tracker.runs["run-1"].rows) == [1, 2]
    assert json.loads((journal.folder / "tracking.json").read_text())["run"] == "run-1"


def test_a_failure_half_way_is_not_recorded_twice(tmp_path):
    class Half(MemoryTracker):
        broken = True

        def log(self, run_id, rows):
            if self.broken:
                super().log(run_id, rows[:1])
                self.down = True
            super().log(run_id, rows)

    tracker = Half()
    journal = Journal.create(tmp_path, tracker, INFO, Warnings())
    journal.log(1, {"a": 1.0})
    tracker.broken = tracker.down = False
    journal.log(2, {"a": 2.0})
    assert epochs(tracker.runs["run-1"].rows) == [1, 2]


@given(
    recorded=st.integers(1, 6),
    reached=st.integers(1, 6),
    resumed=st.integers(0, 6),
    total=st.integers(6, 8),
)
def test_a_resumed_run_has_every_epoch_once(tmp_path_factory, recorded, reached, resumed, total):
    """The store stops taking rows after ``recorded`` epochs, the run dies after ``reached``."""
    reached, resumed = max(reached, recorded), min(resumed, max(reached, recorded))
    tracker = MemoryTracker()
    journal = Journal.create(tmp_path_factory.mktemp("runs"), tracker, INFO, Warnings())
    for epoch in range(1, reached + 1):
        tracker.down = epoch > recorded
        journal.log(epoch, {"a": float(epoch)})
    tracker.down = False
    again = Journal.resume(journal.folder, tracker, INFO, resumed, Warnings())
    for epoch in range(resumed + 1, total + 1):
        again.log(epoch, {"a": float(epoch)})
    again.close("FINISHED")
    expected = list(range(1, total + 1))
    assert epochs(tracker.runs["run-1"].rows) == expected
    assert epochs(again.rows) == epochs(read_rows(again.folder / "metrics.jsonl")) == expected
    assert tracker.runs["run-1"].status == "FINISHED"


def test_resuming_tells_the_tracker_of_changed_parameters(tmp_path):
    tracker = MemoryTracker()
    journal = Journal.create(tmp_path, tracker, INFO)
    journal.close("KILLED")
    changed = dataclasses.replace(INFO, parameters={"method.students": "5"})
    Journal.resume(journal.folder, tracker, changed, 0)
    assert tracker.runs["run-1"].changed == {"method.students": "5"}
    assert tracker.runs["run-1"].status == "RUNNING"


def test_another_store_gets_the_whole_run(tmp_path):
    journal = Journal.create(tmp_path, MemoryTracker(), INFO)
    journal.log(1, {"a": 1.0})
    other = MemoryTracker()
    other.uri = "memory:elsewhere"
    again = Journal.resume(journal.folder, other, INFO, 1)
    again.log(2, {"a": 2.0})
    assert epochs(other.runs["run-1"].rows) == [1, 2]


def test_the_final_row_is_written_once(tmp_path):
    tracker = MemoryTracker()
    journal = Journal.create(tmp_path, tracker, INFO)
    journal.log(1, {"a": 1.0})
    journal.log(1, {"test/accuracy_selected": 60.0}, final=True)
    again = Journal.resume(journal.folder, tracker, INFO, 1)
    again.log(1, {"test/accuracy_selected": 60.0}, final=True)
    assert [row.final for row in again.rows] == [False, True]
    assert [row.final for row in tracker.runs["run-1"].rows] == [False, True]


def test_a_torn_last_line_is_cut_and_a_torn_line_within_is_an_error(tmp_path):
    tracker = MemoryTracker()
    journal = Journal.create(tmp_path, tracker, INFO)
    for epoch in (1, 2):
        journal.log(epoch, {"a": 1.0})
    path = journal.folder / "metrics.jsonl"
    path.write_text(path.read_text() + '{"epoch": 3, "time_')
    again = Journal.resume(journal.folder, tracker, INFO, 3)
    assert epochs(again.rows) == [1, 2]
    again.log(3, {"a": 1.0})
    assert epochs(read_rows(path)) == [1, 2, 3]
    path.write_text("nonsense\n" + path.read_text())
    with pytest.raises(InputError, match=r"metrics.jsonl:1: not a row"):
        read_rows(path)


def test_rows_survive_the_file_whatever_their_values(tmp_path):
    journal = Journal.create(tmp_path, MemoryTracker(), INFO)
    journal.log(1, {"nan": math.nan, "inf": math.inf, "less": -math.inf, "third": 1 / 3})
    line = (journal.folder / "metrics.jsonl").read_text()
    json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    [row] = read_rows(journal.folder / "metrics.jsonl")
    assert math.isnan(row.values["nan"])
    assert (row.values["inf"], row.values["less"], row.values["third"]) == (math.inf, -math.inf, 1 / 3)


def test_artifacts_are_kept_and_sent_when_the_store_is_back(tmp_path):
    tracker = MemoryTracker()
    journal = Journal.create(tmp_path, tracker, INFO, Warnings())
    tracker.down = True
    journal.text("pipeline.toml", "name = 'digits'\n")
    journal.content("figures/empty.png", b"nothing")
    assert (journal.folder / "artifacts" / "figures" / "empty.png").read_bytes() == b"nothing"
    tracker.down = False
    Journal.resume(journal.folder, tracker, INFO, 0)
    files = tracker.runs["run-1"].files
    assert files["pipeline.toml"] == b"name = 'digits'\n"
    assert set(files) == {"pipeline.toml", "figures/empty.png"}


def test_a_model_that_is_not_taken_is_none(tmp_path):
    tracker = MemoryTracker()
    journal = Journal.create(tmp_path, tracker, INFO, Warnings())
    tracker.down = True
    assert journal.model(student) is None
    tracker.down = False
    assert journal.model(student) == "memory:/run-1/student"


def test_a_run_that_ended_unseen_is_synced_later(tmp_path):
    tracker, warn = MemoryTracker(), Warnings()
    journal = Journal.create(tmp_path, tracker, INFO, warn)
    tracker.down = True
    journal.log(1, {"a": 1.0})
    journal.close("FINISHED")
    assert "1 rows and 0 artifacts did not reach memory:" in warn[-1]
    tracker.down = False
    sync(journal.folder, tracker, INFO, build=student)
    assert epochs(tracker.runs["run-1"].rows) == [1]
    assert tracker.runs["run-1"].status == "FINISHED"
    tracker.calls.clear()
    sync(journal.folder, tracker, INFO)
    assert tracker.calls == ["status"]


def files_of(folder):
    return {path.name for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("moment", ["before the model", "at the closing"])
def test_a_student_that_an_outage_kept_back_is_sent_later(tmp_path, moment):
    tracker, warn = MemoryTracker(), Warnings()
    journal = Journal.create(tmp_path, tracker, INFO, warn)
    journal.log(1, {"a": 1.0})
    tracker.down = moment == "before the model"
    uri = journal.model(student)
    assert (uri is None) == tracker.down
    tracker.down = True
    journal.close("FINISHED")
    assert ("and the student did not reach" in warn[-1]) == (uri is None)
    tracker.down = False
    assert sync(journal.folder, tracker, INFO, warn, student) == "memory:/run-1/student"
    [model] = tracker.runs["run-1"].models
    assert model.name == "student"
    assert tracker.runs["run-1"].status == "FINISHED"
    assert files_of(journal.folder) == {"metrics.jsonl", "tracking.json"}


def test_a_tracker_that_lost_a_finished_run_gets_all_of_it_again(tmp_path):
    tracker = MemoryTracker()
    journal = Journal.create(tmp_path, tracker, INFO)
    journal.log(1, {"a": 1.0})
    journal.text("note.txt", "kept")
    journal.log(1, {"b": 2.0}, final=True)
    journal.model(student)
    journal.close("FINISHED")
    [lost] = [tracker.runs.pop("run-1")]
    assert sync(journal.folder, tracker, INFO, build=student) == "memory:/run-1/student"
    again = tracker.runs["run-1"]
    assert (again.rows, again.files, again.status) == (lost.rows, lost.files, "FINISHED")
    assert len(again.models) == 1
    tracker.calls.clear()
    sync(journal.folder, tracker, INFO, build=student)
    assert tracker.calls == ["status"]


def test_a_tracker_that_loses_the_run_meanwhile_gets_all_of_it_again(tmp_path):
    tracker = MemoryTracker()
    group = Group(tracker, INFO)
    journal = Journal.create(tmp_path, tracker, INFO)
    journal.log(1, {"a": 1.0})
    journal.text("note.txt", "kept")
    tracker.runs.clear()
    journal.log(2, {"a": 2.0})
    assert epochs(tracker.runs[journal.tracked].rows) == [1, 2]
    assert tracker.runs[journal.tracked].files == {"note.txt": b"kept"}
    assert json.loads((journal.folder / "tracking.json").read_text())["run"] == journal.tracked
    tracker.runs.clear()
    group.close("FINISHED")
    assert tracker.runs[group.id].status == "FINISHED"


def test_a_student_that_cannot_be_a_model_is_one_note_and_is_not_tried_again(tmp_path):
    def refused(folder):
        raise ModelRefused("the reason")

    tracker, warn = MemoryTracker(), Warnings()
    journal = Journal.create(tmp_path, tracker, INFO, warn)
    assert journal.model(refused) is None
    journal.close("FINISHED")
    assert sync(journal.folder, tracker, INFO, warn, refused) is None
    assert warn == ["the student is not stored as a model in memory:: the reason"]
    assert tracker.runs["run-1"].status == "FINISHED"


def test_a_run_that_was_killed_before_its_closing_is_closed_as_finished(tmp_path):
    tracker = MemoryTracker()
    journal = Journal.create(tmp_path, tracker, INFO)
    journal.log(1, {"a": 1.0})
    assert sync(journal.folder, tracker, INFO, build=student) == "memory:/run-1/student"
    assert tracker.runs["run-1"].status == "FINISHED"


def test_a_run_that_another_process_called_killed_is_closed_as_finished(tmp_path):
    tracker = MemoryTracker()
    journal = Journal.create(tmp_path, tracker, INFO)
    journal.model(student)
    journal.close("FINISHED")
    tracker.runs["run-1"].status = "KILLED"
    sync(journal.folder, tracker, INFO)
    assert tracker.runs["run-1"].status == "FINISHED"


def test_a_student_that_cannot_be_read_now_is_tried_again(tmp_path):
    def unreadable(folder):
        raise InputError("its plugin is not known")

    tracker, warn = MemoryTracker(), Warnings()
    journal = Journal.create(tmp_path, tracker, INFO, warn)
    assert journal.model(unreadable) is None
    journal.close("FINISHED")
    assert tracker.runs["run-1"].status == "FINISHED"
    assert warn == ["the student is not stored as a model in memory:: its plugin is not known; --resume tries again"]
    assert sync(journal.folder, tracker, INFO, warn, student) == "memory:/run-1/student"
    assert tracker.runs["run-1"].status == "FINISHED"


def test_what_a_run_can_do_without_is_a_warning_if_it_fails(tmp_path):
    warn = Warnings()
    journal = Journal.create(tmp_path, MemoryTracker(), INFO, warn)
    assert journal.attempt("the number", lambda: 3) == 3
    assert journal.attempt("the picture", lambda: 1 / 0) is None
    assert warn == ["the picture of run run-1 could not be kept: division by zero"]


def test_a_link_that_a_full_disk_cut_off_is_no_link(tmp_path):
    tracker = MemoryTracker()
    journal = Journal.create(tmp_path, tracker, INFO)
    journal.log(1, {"a": 1.0})
    (journal.folder / "tracking.json").write_text('{"uri": "mem')
    sync(journal.folder, tracker, INFO)
    assert epochs(tracker.runs["run-2"].rows) == [1]
