from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch
from torch import nn

from cgl_ignite.tracking import DatasetInfo, MetricsRow, ModelRefused, StudentModel, UnknownRun, own_store
from cgl_ignite.tracking import models as made
from cgl_ignite.tracking.mlflow import MLflowTracker


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(1)
    stem = [nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU()]
    return nn.Sequential(*stem, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10)).eval()


def exported(network, example):
    batch = torch.export.Dim("batch")
    return torch.export.export(network, (torch.from_numpy(example),), dynamic_shapes=[{0: batch}])


pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


@pytest.mark.parametrize("form", ["module", "program"])
def test_the_stored_student_answers_as_the_network_does(tracker, info, network, monkeypatch, form):
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    example = np.zeros((2, 1, 8, 8), np.float32)
    run_id = tracker.open(dataclasses.replace(info, dataset=DatasetInfo("digits", {"rows": "2"}, {})))
    digest = tracker.client.get_run(run_id).inputs.dataset_inputs[0].dataset.digest
    scores = [{"holdout/accuracy_selected": score, "holdout/accuracy_mean": 40.0} for score in (50.0, 60.0, 55.0)]
    rows = [MetricsRow(epoch, epoch, values) for epoch, values in enumerate(scores, start=1)]
    tracker.log(run_id, [*rows, MetricsRow(3, 4, {"test/accuracy_selected": 58.0}, final=True)])
    part = network if form == "module" else exported(network, example)
    shown = {"description": "# A student", "tags": {"classes": "0, 1"}}
    uri = tracker.model(run_id, StudentModel(part, example, (10,), "student-3", epoch=2, **shown))

    assert mlflow.get_tracking_uri() != tracker.uri
    assert "MLFLOW_TRACKING_URI" not in os.environ
    run = tracker.client.get_run(run_id)
    assert run.info.status == "RUNNING"
    assert [f"models:/{model.model_id}" for model in run.outputs.model_outputs] == [uri]
    stored = tracker.client.get_logged_model(uri.removeprefix("models:/"))
    assert stored.experiment_id == run.info.experiment_id
    assert stored.artifact_location.startswith(tracker.store.artifacts.as_uri())
    assert stored.params == info.parameters
    assert (stored.name, stored.source_run_id, str(stored.status)) == ("student-3", run_id, "READY")
    assert {metric.key: metric.value for metric in stored.metrics} == {"accuracy/holdout": 60.0, "accuracy/test": 58.0}
    assert {(metric.dataset_name, metric.dataset_digest) for metric in stored.metrics} == {("digits", digest)}
    assert stored.tags.items() >= {"classes": "0, 1", "mlflow.note.content": "# A student"}.items()
    assert len(tracker.client.get_metric_history(run_id, "accuracy/holdout")) == 3

    inputs = np.random.default_rng(0).normal(size=(5, 1, 8, 8)).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(inputs)).numpy()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracker.uri)
    loaded = mlflow.pytorch.load_model(uri)
    np.testing.assert_allclose(loaded(torch.from_numpy(inputs)).detach().numpy(), expected, atol=1e-6)
    np.testing.assert_allclose(mlflow.pyfunc.load_model(uri).predict(inputs), expected, atol=1e-6)
    requirements = Path(mlflow.artifacts.download_artifacts(uri), "requirements.txt").read_text()
    assert "torch==" in requirements
    assert "cgl" not in requirements


class Killed(BaseException):
    pass


def student_model(network, **changes):
    return StudentModel(network, np.ones((2, 1, 8, 8), np.float32), (10,), **{"name": "student", **changes})


@pytest.mark.parametrize(
    "point", ["create_logged_model", "log_model_artifacts", "finalize_logged_model", "log_outputs"]
)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_model_that_was_cut_off_is_completed_and_stays_the_only_one(
    tracker, info, network, monkeypatch, tmp_path, point, moment
):
    run_id = tracker.open(info)
    tracker.log(run_id, [MetricsRow(1, 1, {"holdout/accuracy_selected": 50.0})])
    model = student_model(network, epoch=1, folder=tmp_path)
    with monkeypatch.context() as patch:
        whole = getattr(made.MlflowClient, point)

        def cut(*arguments, **options):
            if moment == "after":
                whole(*arguments, **options)
            raise Killed

        patch.setattr(made.MlflowClient, point, cut)
        with pytest.raises(Killed):
            tracker.model(run_id, model)
    uri = tracker.model(run_id, model)
    assert tracker.model(run_id, model) == uri
    run = tracker.client.get_run(run_id)
    [stored] = tracker.client.search_logged_models([run.info.experiment_id])
    assert [f"models:/{one.model_id}" for one in run.outputs.model_outputs] == [uri] == [stored.model_uri]
    assert str(stored.status) == "READY"
    assert {metric.key: metric.value for metric in stored.metrics} == {"accuracy/holdout": 50.0}
    assert [path.name for path in (tracker.store.artifacts / "models").iterdir()] == [stored.model_id]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracker.uri)
    assert mlflow.pyfunc.load_model(uri).predict(np.zeros((1, 1, 8, 8), np.float32)).shape == (1, 10)


def test_a_model_is_a_version_of_a_registered_model_once(tracker, info, network):
    first, second = (tracker.model(tracker.open(info), student_model(network, description="# It")) for _ in range(2))
    assert [tracker.register(model, "digits reader") for model in (first, second, first)] == ["1", "2", "1"]
    versions = tracker.client.search_model_versions("name = 'digits reader'")
    assert [version.description for version in versions] == ["# It", "# It"]
    assert {version.run_id for version in versions} == {
        tracker.client.get_logged_model(model.removeprefix("models:/")).source_run_id for model in (first, second)
    }
    tags = tracker.client.get_logged_model(first.removeprefix("models:/")).tags
    assert json.loads(tags["mlflow.modelVersions"]) == [{"name": "digits reader", "version": 1}]
    with pytest.raises(UnknownRun):
        tracker.register("models:/m-0123", "digits reader")


class Loop(nn.Module):
    """Goes through its batch in Python, which torch.export unrolls for the example."""

    def forward(self, inputs):
        return torch.stack([inputs[row].flatten()[:10] for row in range(inputs.shape[0])])


class Item(nn.Module):
    def forward(self, inputs):
        return inputs.flatten(1)[:, :10] * (1 if inputs.sum().item() > 0 else 2)


class Numpy(nn.Module):
    def forward(self, inputs):
        return torch.from_numpy(inputs.numpy().reshape(len(inputs), -1)[:, :10].copy())


@pytest.mark.parametrize("network", [Loop(), Item(), Numpy()], ids=["loop", "item", "numpy"])
def test_a_student_that_is_no_program_for_every_batch_is_refused_and_leaves_nothing(tracker, info, network, tmp_path):
    run_id = tracker.open(info)
    with pytest.raises(ModelRefused) as caught:
        tracker.model(run_id, student_model(network, folder=tmp_path))
    assert str(caught.value)
    assert "\n" not in str(caught.value)
    assert tracker.client.search_logged_models([tracker.client.get_run(run_id).info.experiment_id]) == []
    assert not (tracker.store.artifacts / "models").exists()


@pytest.mark.parametrize("name", ["exp.v2", "a/b", "100%", 'it\'s: "new"'])
def test_a_name_that_mlflow_refuses_is_cleaned(tracker, info, network, name):
    run_id = tracker.open(info)
    uri = tracker.model(run_id, student_model(network, name=name))
    stored = tracker.client.get_logged_model(uri.removeprefix("models:/"))
    assert stored.name == "".join("_" if sign in "/:.%\"'" else sign for sign in name)


def test_nothing_is_written_to_the_folder_of_temporary_files(tracker, info, network, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "full"))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    tracker.model(tracker.open(info), student_model(network, folder=scratch))
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("name", ["what?", "x#y", "ü ñ", "100%"])
def test_a_model_is_stored_and_loaded_in_any_folder(template, info, network, tmp_path, monkeypatch, name):
    folder = tmp_path / name
    folder.mkdir()
    shutil.copy(template, folder / "mlflow.db")
    tracker = MLflowTracker(own_store(folder))
    uri = tracker.model(tracker.open(info), student_model(network, folder=folder))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracker.uri)
    assert mlflow.pyfunc.load_model(uri).predict(np.zeros((1, 1, 8, 8), np.float32)).shape == (1, 10)


def test_a_model_is_loaded_after_its_folder_has_moved(tracker, info, network, store, tmp_path, monkeypatch):
    uri = tracker.model(tracker.open(info), student_model(network))
    moved = own_store(tmp_path / "moved #1")
    store.database.parent.rename(moved.database.parent)
    assert MLflowTracker(moved, lambda text: None).newest_experiment() is not None
    monkeypatch.setenv("MLFLOW_TRACKING_URI", moved.uri)
    assert mlflow.pyfunc.load_model(uri).predict(np.zeros((3, 1, 8, 8), np.float32)).shape == (3, 10)
