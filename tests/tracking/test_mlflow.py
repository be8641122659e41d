from __future__ import annotations

import dataclasses
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException

from cgl_ignite.tracking import (
    DatasetInfo,
    Group,
    MetricsRow,
    RunInfo,
    Store,
    TrackerError,
    UnknownRun,
    locate,
    make_tracker,
)
from cgl_ignite.tracking.mlflow import MLflowTracker
from cgl_ignite.tracking.process import identity


def history(tracker: MLflowTracker, run_id: str, key: str) -> list[tuple[int, float]]:
    return [(metric.step, metric.value) for metric in tracker.client.get_metric_history(run_id, key)]


def test_a_run_is_recorded_with_parameters_tags_and_rows(tracker, info):
    run_id = tracker.open(info)
    key = "holdout/accuracy/student_0"
    tracker.log(run_id, [MetricsRow(1, 1000, {key: 50.0}), MetricsRow(2, 2000, {key: 60.0})])
    run = tracker.client.get_run(run_id)
    assert run.info.run_name == "cgl seed 1"
    assert run.info.status == "RUNNING"
    assert run.data.params == {"method.students": "8", "optim.learning_rate": "0.1"}
    assert run.data.tags["cgl.method"] == "cgl"
    assert run.data.tags["cgl.pid"] == str(os.getpid())
    assert history(tracker, run_id, "students/accuracy/holdout/student_0") == [(1, 50.0), (2, 60.0)]
    assert history(tracker, run_id, key) == []
    assert tracker.last_epoch(run_id) == 2
    tracker.close(run_id, "FINISHED")
    assert tracker.client.get_run(run_id).info.status == "FINISHED"


def test_of_runs_that_note_the_same_new_data_at_once_none_is_lost(tracker, info, monkeypatch):
    """PostgreSQL refuses all but one of them, as MLflow looks for the data set before it adds it."""
    calls, log_inputs = [], tracker.client.log_inputs

    def refuse_once(run_id, datasets):
        calls.append(run_id)
        if len(calls) == 1:
            raise MlflowException('duplicate key value violates unique constraint "dataset_pk"')
        log_inputs(run_id, datasets=datasets)

    monkeypatch.setattr(tracker.client, "log_inputs", refuse_once)
    run_id = tracker.open(dataclasses.replace(info, dataset=DatasetInfo("digits", {"rows": "2"}, {})))
    assert calls == [run_id] * 2
    assert [one.dataset.name for one in tracker.client.get_run(run_id).inputs.dataset_inputs] == ["digits"]


def test_a_fresh_run_has_recorded_nothing(tracker, info):
    assert tracker.last_epoch(tracker.open(info)) == 0


def test_a_final_row_is_no_new_epoch_and_counts_once(tracker, info):
    run_id = tracker.open(info)
    final = MetricsRow(2, 2000, {"test/accuracy_selected": 61.0}, final=True)
    tracker.log(run_id, [MetricsRow(2, 1900, {"holdout/accuracy_mean": 60.0}), final])
    tracker.log(run_id, [final])
    assert tracker.last_epoch(run_id) == 2
    assert history(tracker, run_id, "accuracy/test") == [(2, 61.0)]


def test_values_that_are_not_finite_are_recorded_as_nan(tracker, info):
    run_id = tracker.open(info)
    tracker.log(run_id, [MetricsRow(1, 1000, {"a": math.inf, "b": math.nan, "c": 1.0})])
    metrics = tracker.client.get_run(run_id).data.metrics
    assert math.isnan(metrics["a"])
    assert math.isnan(metrics["b"])
    assert metrics["c"] == 1.0


def test_a_long_outage_is_sent_in_batches_of_whole_rows(tracker, info):
    run_id = tracker.open(info)
    rows = [MetricsRow(epoch, epoch, {f"key/student_{k}": float(k) for k in range(300)}) for epoch in range(1, 8)]
    tracker.log(run_id, rows)
    assert tracker.last_epoch(run_id) == 7
    assert [step for step, _ in history(tracker, run_id, "key/student_299")] == [1, 2, 3, 4, 5, 6, 7]


def test_a_changed_parameter_becomes_a_tag_when_a_run_goes_on(tracker, info):
    run_id = tracker.open(info)
    tracker.close(run_id, "KILLED")
    changed = {"method.students": "8", "optim.learning_rate": "0.05", "run.device": "cuda"}
    tracker.reopen(run_id, dataclasses.replace(info, parameters=changed))
    run = tracker.client.get_run(run_id)
    assert run.info.status == "RUNNING"
    assert run.data.params == {"method.students": "8", "optim.learning_rate": "0.1", "run.device": "cuda"}
    assert {key: value for key, value in run.data.tags.items() if key.startswith("changed.")} == {
        "changed.optim.learning_rate": "0.05"
    }


def test_a_run_that_goes_on_gets_the_group_that_it_has_not(tracker, info):
    run_id, groups = tracker.open(info), [tracker.open(RunInfo("digits", "group")) for _ in range(2)]
    for group in groups:
        tracker.reopen(run_id, dataclasses.replace(info, parent=group))
    assert tracker.client.get_run(run_id).data.tags["mlflow.parentRunId"] == groups[0]


@pytest.mark.parametrize("call", ["log_inputs", "log_batch"])
def test_a_run_that_is_opened_half_way_has_failed(tracker, info, monkeypatch, call):
    def refuse(*_, **__):
        raise MlflowException("the disk is full")

    info = dataclasses.replace(info, dataset=DatasetInfo("digits", {"rows": "2"}, {}))
    whole = tracker.open(info)
    with monkeypatch.context() as patch:
        patch.setattr(tracker.client, call, refuse)
        with pytest.raises(TrackerError, match="the disk is full"):
            tracker.open(info)
    found = tracker.client.search_runs([tracker.client.get_run(whole).info.experiment_id])
    assert {run.info.run_id == whole: run.info.status for run in found} == {True: "RUNNING", False: "FAILED"}


def test_the_data_set_stands_there_with_a_digest_of_what_was_read(tracker, info):
    facts = {"training: rows": "1,200", "train.csv: content": "0123"}
    datasets = {}
    for name, read in (("first", facts), ("again", facts), ("changed", {**facts, "training: rows": "1,201"})):
        run = tracker.open(dataclasses.replace(info, dataset=DatasetInfo("digits", read, {"data": {"limit": 300}})))
        [datasets[name]] = tracker.client.get_run(run).inputs.dataset_inputs
    found = datasets["first"].dataset
    assert (found.name, json.loads(found.profile)) == ("digits", facts)
    assert json.loads(found.source) == {"data": {"limit": 300}}
    assert [(tag.key, tag.value) for tag in datasets["first"].tags] == [("mlflow.data.context", "training")]
    assert found.digest == datasets["again"].dataset.digest != datasets["changed"].dataset.digest


def test_a_description_that_is_too_long_ends_with_a_whole_line(tracker, info):
    run_id = tracker.open(info)
    tracker.describe(run_id, "| line |\n" * 2000)
    *lines, _, last = tracker.client.get_run(run_id).data.tags["mlflow.note.content"].split("\n")
    assert set(lines) == {"| line |"}
    assert "artifacts" in last
    assert len(lines) > 500


def test_a_run_of_an_earlier_version_gets_all_its_rows_under_the_present_names(tracker, info):
    run_id = tracker.open(info)
    before = {"epoch": 1, "holdout/accuracy_selected": 50.0}
    tracker.client.log_batch(run_id, metrics=[Metric(key, value, 1, 1) for key, value in before.items()])
    assert tracker.last_epoch(run_id) == 0
    tracker.log(run_id, [MetricsRow(1, 1, {"holdout/accuracy_selected": 50.0})])
    assert (tracker.last_epoch(run_id), history(tracker, run_id, "accuracy/holdout")) == (1, [(1, 50.0)])


def test_a_long_parameter_is_cut_and_is_no_change_later(tracker, info):
    info = dataclasses.replace(info, parameters={"long": "x" * 7000})
    run_id = tracker.open(info)
    tracker.reopen(run_id, info)
    run = tracker.client.get_run(run_id)
    assert len(run.data.params["long"]) == 6000
    assert "changed.long" not in run.data.tags


def test_seeds_are_children_of_a_group_that_is_described_and_has_no_metrics(tracker, info):
    group = Group(tracker, RunInfo("digits", "digits_resnet cgl"))
    children = [tracker.open(dataclasses.replace(info, seed=seed, parent=group.id)) for seed in (1, 2)]
    group.describe("| seed |")
    group.describe("| seed | accuracy |")
    group.close("FINISHED")
    parent = tracker.client.get_run(group.id)
    assert parent.data.metrics == {}
    assert parent.data.tags["mlflow.note.content"] == "| seed | accuracy |"
    assert parent.info.status == "FINISHED"
    found = tracker.client.search_runs([parent.info.experiment_id], f"tags.mlflow.parentRunId = '{group.id}'")
    assert {run.info.run_id for run in found} == set(children)
    assert Group(tracker, RunInfo("digits", "digits_resnet cgl"), again=group.id).id == group.id
    assert tracker.client.get_run(group.id).info.status == "RUNNING"


def test_artifacts_lie_beside_the_database(tracker, info, store, tmp_path):
    (tmp_path / "paths.json").write_text("[[0, 1]]")
    run_id = tracker.open(info)
    tracker.file(run_id, tmp_path / "paths.json", "routing")
    assert (store.artifacts / run_id / "artifacts" / "routing" / "paths.json").read_text() == "[[0, 1]]"


def test_runs_of_dead_processes_are_killed_and_others_are_left_alone(tracker, info, store, monkeypatch):
    child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    dead = {**identity(), "cgl.pid": child.stdout.decode().strip(), "cgl.start": "1.00"}
    with monkeypatch.context() as patch:
        patch.setattr("cgl_ignite.tracking.mlflow.identity", lambda: dead)
        lost = MLflowTracker(store).open(info)
    tracker.log(lost, [MetricsRow(1, 4102444800000, {"a": 1.0})])
    elsewhere = {"cgl.host": "elsewhere", "cgl.pid": "1", "cgl.start": "0"}
    foreign = tracker.client.create_run(tracker.client.get_run(lost).info.experiment_id, tags=elsewhere)
    alive = MLflowTracker(store).open(info)
    tracker.open(info)
    ended = tracker.client.get_run(lost).info
    assert (ended.status, ended.end_time) == ("KILLED", 4102444800000)
    assert tracker.client.get_run(alive).info.status == "RUNNING"
    assert tracker.client.get_run(foreign.info.run_id).info.status == "RUNNING"


def test_a_run_that_is_not_there_is_told_from_a_store_that_fails(tracker, info):
    tracker.open(info)
    assert tracker.status("0" * 32) is None
    with pytest.raises(UnknownRun):
        tracker.log("0" * 32, [MetricsRow(1, 1, {"a": 1.0})])


def test_a_deleted_experiment_is_restored(tracker, info, store):
    experiment = tracker.client.get_run(tracker.open(info)).info.experiment_id
    tracker.client.delete_experiment(experiment)
    run_id = MLflowTracker(store).open(info)
    assert tracker.client.get_run(run_id).info.experiment_id == experiment


def test_the_newest_experiment_is_the_one_of_the_newest_run(tracker, info):
    first = tracker.open(info)
    tracker.open(dataclasses.replace(info, experiment="other"))
    tracker.client.get_run(first)
    other = tracker.client.get_experiment_by_name("other").experiment_id
    assert tracker.newest_experiment() == other


def test_faults_of_the_store_become_one_line(tmp_path, info):
    (tmp_path / "mlflow.db").write_text("this is no database, and has never been one " * 100)
    with pytest.raises(TrackerError, match="not a database") as caught:
        make_tracker(locate(tmp_path)).open(info)
    assert "\n" not in str(caught.value)


def test_an_unreachable_server_fails_soon(info, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    tracker = MLflowTracker(Store("http://127.0.0.1:9", None))
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "0"
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "10"
    with pytest.raises(TrackerError, match=r"^http://127\.0\.0\.1:9: NewConnectionError: .*refused$"):
        tracker.open(info)
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_TIMEOUT")


def test_mlflow_does_not_print_addresses(capsys):
    """It would ask the server for the name of the run first, which is not there, and fail."""
    MLflowTracker(Store("http://127.0.0.1:9", None)).client._tracking_client._log_url("a run")
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_processes_that_open_a_new_store_together_all_succeed(tmp_path):
    script = (
        "import sys; from pathlib import Path; from cgl_ignite.tracking import *;"
        "print(make_tracker(locate(Path(sys.argv[1]))).open(RunInfo('digits', 'together')))"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "mlruns")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    workers = [subprocess.Popen(command, **pipes) for _ in range(3)]
    outputs = [worker.communicate(timeout=200) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0, 0], outputs
    assert len({out for out, _ in outputs}) == 3
    assert all(err == "" for _, err in outputs)


def test_mlflow_is_imported_by_its_tracker_alone():
    script = "import sys; import cgl_ignite.tracking; print('mlflow' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert answer.stdout.strip() == "False"
    package = Path(__file__).parents[2] / "cgl_ignite"
    imports = re.compile(r"^\s*(import|from) mlflow", re.MULTILINE)
    users = {path.relative_to(package).parts[0] for path in package.rglob("*.py") if imports.search(path.read_text())}
    assert users == {"tracking"}
