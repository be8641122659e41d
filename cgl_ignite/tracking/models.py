"""A student as a model of MLflow: a ``torch.export`` program that loads without this package.

A ``pt2`` file that holds a student becomes code around its program, as files and never as a pickle: pixels or raw
strings in, labels and probabilities out. Another network is stored as it is, from tensors to tensors.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow
import numpy as np
import torch
from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus, Metric, Run
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from mlflow.types.schema import Array
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS
from torch.export import ExportedProgram

from cgl_ignite.errors import first_line, shortage
from cgl_ignite.tracking.base import ModelRefused, StudentModel
from cgl_ignite.tracking.entities import DESCRIPTION, description
from cgl_ignite.tracking.keys import STUDENTS

__all__ = ["log_student", "model_name", "register_student"]

BATCHES = (1, 3)
"""A stored program is tried with these, as it is exported with an example of two."""
NOT_OF_THE_MODEL = (f"{STUDENTS}/", "schedule/", "selected/", "speed/", "system/")
"""Metrics of a run that say nothing about its selected student."""
SETTINGS = {"MLFLOW_DEFAULT_PREDICTION_DEVICE": "cpu", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}


def log_student(client: MlflowClient, run_id: str, model: StudentModel) -> str:
    """Log a student with a run of a store, if that has not been done, and return its URI, ``models:/m-...``.

    What :func:`mlflow.pytorch.log_model` does with the fluent API's active run is done here for the
    run that is named, whose status and times stay as they are. A model that a killed process began is completed.

    Raises:
        ModelRefused: a student that is no program, or whose program answers otherwise.
    """
    run = client.get_run(run_id)
    found = client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run_id}'")
    entry = next((one for one in found if one.status == LoggedModelStatus.READY), found[0] if found else None)
    if entry is None or entry.status != LoggedModelStatus.READY:
        entry = _upload(client, run, model, entry)
    outputs = run.outputs.model_outputs if run.outputs else []
    if entry.model_id not in [output.model_id for output in outputs]:
        _connect(client, run, entry, model.epoch)
    return f"models:/{entry.model_id}"


def register_student(client: MlflowClient, model: str, name: str) -> str:
    """Make a model, ``models:/m-...``, a version of the registered model ``name``, once, and return the version."""
    entry = client.get_logged_model(model.removeprefix("models:/"))
    with suppress(MlflowException):
        client.create_registered_model(name)
    for known in client.search_model_versions(f"name = '{name}'"):
        if known.source == entry.artifact_location:
            return str(known.version)
    made = client.create_model_version(
        name,
        entry.artifact_location,
        run_id=entry.source_run_id,
        description=entry.tags.get(DESCRIPTION),
        model_id=entry.model_id,
    )
    others = json.loads(entry.tags.get(MLFLOW_MODEL_VERSIONS, "[]"))
    versions = json.dumps([*others, {"name": name, "version": made.version}])
    client.set_logged_model_tags(entry.model_id, {MLFLOW_MODEL_VERSIONS: versions})
    return str(made.version)


def model_name(name: str) -> str:
    r"""Replace what MLflow refuses in the name of a model: ``/ : . % " '``.

    Example:
        >>> model_name("exp.v2/a-student")
        'exp_v2_a-student'
    """
    return re.sub(r"""[/:.%"']""", "_", name)


def _upload(client: MlflowClient, run: Run, model: StudentModel, begun: LoggedModel | None) -> LoggedModel:
    with TemporaryDirectory(dir=model.folder) as folder, _lent(client.tracking_uri, folder):
        place = Path(folder, "model")
        written = Model(artifact_path=None, run_id=run.info.run_id)
        try:
            _save(model, place, written)
            _try_out(model, place)
        except Exception as error:
            if isinstance(error, OSError) or shortage(error):
                raise
            raise ModelRefused(first_line(error)) from error
        entry = begun or client.create_logged_model(
            run.info.experiment_id,
            model_name(model.name),
            source_run_id=run.info.run_id,
            tags={**model.tags, DESCRIPTION: description(model.description)},
            params=run.data.params,
        )
        written.model_id = written.model_uuid = entry.model_id
        written.artifact_path = entry.artifact_location
        written.save(str(place / "MLmodel"))
        client.log_model_artifacts(entry.model_id, str(place))
    return client.finalize_logged_model(entry.model_id, LoggedModelStatus.READY)


def _connect(client: MlflowClient, run: Run, entry: LoggedModel, epoch: int) -> None:
    """Name a model as what a run has brought forth, with its metrics in its epoch and on the test set."""
    run_id = run.info.run_id
    inputs = run.inputs.dataset_inputs if run.inputs else []
    dataset = {"dataset_name": inputs[0].dataset.name, "dataset_digest": inputs[0].dataset.digest} if inputs else {}
    keys = [key for key in run.data.metrics if not key.startswith(NOT_OF_THE_MODEL)]
    metrics = [
        Metric(one.key, one.value, one.timestamp, one.step, model_id=entry.model_id, run_id=run_id, **dataset)
        for key in keys
        for one in client.get_metric_history(run_id, key)
        if (one.step == epoch or key.endswith("/test")) and one.model_id is None
    ]
    client.log_batch(run_id, metrics=metrics)
    client.log_outputs(run_id, [LoggedModelOutput(entry.model_id, step=epoch)])


def _save(model: StudentModel, place: Path, written: Model) -> None:
    if isinstance(model.network, Path):
        mlflow.pyfunc.save_model(place, mlflow_model=written, **_labelled_form(model, model.network))
    else:
        mlflow.pytorch.save_model(path=str(place), mlflow_model=written, **_tensor_form(model))


def _try_out(model: StudentModel, place: Path) -> None:
    """Compare what was saved with the network, on batches of other sizes than the example.

    Raises:
        ValueError: other answers.
    """
    stored = mlflow.pyfunc.load_model(place.as_uri(), suppress_warnings=True)
    for rows in BATCHES:
        inputs = np.resize(model.example, (rows, *model.example.shape[1:]))
        if isinstance(model.network, Path):
            stored.predict(inputs.tolist() if _is_text(model) else inputs)
            continue
        network = model.network.module() if isinstance(model.network, ExportedProgram) else model.network
        with torch.inference_mode():
            expected = network(torch.from_numpy(inputs)).numpy()
        found = np.asarray(stored.predict(inputs))
        if found.shape != expected.shape or not np.allclose(found, expected, 1e-3, 1e-4 * np.abs(expected).max()):
            raise ValueError(
                f"the program that torch.export makes answers a batch of {rows} otherwise than the student"
            )


def _tensor_form(model: StudentModel) -> dict[str, Any]:
    """Describe a program from tensors to logits."""
    network, example = model.network, model.example
    return {
        "pytorch_model": network.module() if isinstance(network, ExportedProgram) else network,
        "signature": ModelSignature(
            inputs=Schema([TensorSpec(example.dtype, (-1, *example.shape[1:]))]),
            outputs=Schema([TensorSpec(np.dtype(np.float32), (-1, *model.outputs))]),
        ),
        "input_example": example,
        "pip_requirements": list(model.requirements or (_pinned("torch"),)),
        "serialization_format": "pt2",
    }


def _labelled_form(model: StudentModel, program: Path) -> dict[str, Any]:
    """Describe code from pixels or raw strings to labels and probabilities.

    The schema of pixels states their range by their type, uint8. There is none of texts: with one, MLflow cuts a table
    to its first column before the code sees it.
    """
    from cgl_ignite.tracking import student_program

    text, example = _is_text(model), model.example
    packages = ("torch", "numpy", "pandas", *(("sentencepiece",) if text else ()))
    answer: list[ColSpec | TensorSpec] = [
        ColSpec(Array(DataType.string) if model.several_labels else DataType.string, "label"),
        ColSpec(Array(DataType.double) if model.several_labels else DataType.double, "probability"),
        ColSpec(Array(DataType.double), "probabilities"),
    ]
    return {
        "python_model": student_program.__file__,
        "artifacts": {student_program.PROGRAM: program.absolute().as_uri()},
        "signature": ModelSignature(
            inputs=None if text else Schema([TensorSpec(example.dtype, (-1, *example.shape[1:]))]),
            outputs=Schema(answer),
        ),
        "input_example": example.tolist() if text else example,
        "pip_requirements": list(model.requirements or map(_pinned, packages)),
    }


def _is_text(model: StudentModel) -> bool:
    return model.example.dtype == object


def _pinned(package: str) -> str:
    return f"{package}=={version(package).partition('+')[0]}"


@contextmanager
def _lent(uri: str, folder: str) -> Iterator[None]:
    """Point MLflow's global state to a store, to the CPU and to a folder, and put everything back as it was."""
    before = {name: os.environ.pop(name, None) for name in ("MLFLOW_TRACKING_URI", *SETTINGS)}
    was_set = mlflow.is_tracking_uri_set()  # type: ignore[no-untyped-call]
    chosen: Any = mlflow.get_tracking_uri() if was_set else None
    temporary = tempfile.tempdir
    mlflow.set_tracking_uri(uri)
    os.environ.update(SETTINGS)
    tempfile.tempdir = folder
    try:
        yield
    finally:
        tempfile.tempdir = temporary
        mlflow.set_tracking_uri(chosen)
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
