from __future__ import annotations

import os
from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch
from torch import nn

from cgl_ignite.tracking import Row, StudentModel


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(1)
    stem = [nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU()]
    return nn.Sequential(*stem, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10)).eval()


def exported(network, example):
    batch = torch.export.Dim("batch")
    return torch.export.export(network, (torch.from_numpy(example),), dynamic_shapes=[{0: batch}])


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("form", ["module", "program"])
def test_the_stored_student_answers_as_the_network_does(tracker, info, network, monkeypatch, form):
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    example = np.zeros((2, 1, 8, 8), np.float32)
    run_id = tracker.open(info)
    key = "holdout/accuracy_mean"
    tracker.log(run_id, [Row(1, 1, {key: 50.0}), Row(2, 2, {key: 60.0})])
    part = network if form == "module" else exported(network, example)
    uri = tracker.model(run_id, StudentModel(part, example, (10,), "student-3", epoch=2))

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
    assert {metric.key: metric.value for metric in stored.metrics} == {key: 60.0, "epoch": 2.0}
    assert len(tracker.client.get_metric_history(run_id, key)) == 2

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
