"""A student as a model of MLflow: a ``torch.export`` program that loads without this package.

Images are read as tensors. Texts are read as raw strings: code around the program, as files and never as a pickle.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from mlflow.types.schema import Array
from torch.export import ExportedProgram

from cgl_ignite.tracking.base import StudentModel

__all__ = ["log_student"]


def log_student(client: MlflowClient, run_id: str, model: StudentModel) -> str:
    """Log a student with a run of a store and return its URI, ``models:/m-...``.

    What :func:`mlflow.pytorch.log_model` does with the fluent API's active run is done here for the
    run that is named, whose status and times stay as they are.
    """
    form = _text_form(model, model.network) if isinstance(model.network, Path) else _tensor_form(model)
    run = client.get_run(run_id)
    entry = client.create_logged_model(run.info.experiment_id, model.name, source_run_id=run_id, params=run.data.params)
    with _lent(client.tracking_uri):
        logged = Model.log(
            artifact_path=None,
            run_id=run_id,
            model_id=entry.model_id,
            step=model.epoch,
            **form,
        )
    return str(logged.model_uri)


def _tensor_form(model: StudentModel) -> dict[str, Any]:
    """Describe a program from tensors to logits."""
    network, example = model.network, model.example
    return {
        "flavor": mlflow.pytorch,
        "pytorch_model": network.module() if isinstance(network, ExportedProgram) else network,
        "signature": ModelSignature(
            inputs=Schema([TensorSpec(example.dtype, (-1, *example.shape[1:]))]),
            outputs=Schema([TensorSpec(np.dtype(np.float32), (-1, *model.outputs))]),
        ),
        "input_example": example,
        "pip_requirements": list(model.requirements or (_pinned("torch"),)),
        "serialization_format": "pt2",
    }


def _text_form(model: StudentModel, program: Path) -> dict[str, Any]:
    """Describe code from raw strings to labels and probabilities."""
    from cgl_ignite.tracking import text_program

    return {
        "flavor": mlflow.pyfunc,
        "python_model": text_program.__file__,
        "artifacts": {text_program.PROGRAM: str(program)},
        "signature": ModelSignature(
            inputs=Schema([ColSpec(DataType.string)]),
            outputs=Schema(
                [
                    ColSpec(DataType.string, "label"),
                    ColSpec(DataType.double, "probability"),
                    ColSpec(Array(DataType.double), "probabilities"),
                ]
            ),
        ),
        "input_example": model.example.tolist(),
        "pip_requirements": list(model.requirements or map(_pinned, ("torch", "numpy", "pandas", "sentencepiece"))),
    }


def _pinned(package: str) -> str:
    return f"{package}=={version(package).partition('+')[0]}"


@contextmanager
def _lent(uri: str) -> Iterator[None]:
    """Point MLflow's global state to a store and to the CPU, and put everything back as it was."""
    names = ("MLFLOW_TRACKING_URI", "MLFLOW_DEFAULT_PREDICTION_DEVICE")
    before = {name: os.environ.pop(name, None) for name in names}
    was_set = mlflow.is_tracking_uri_set()  # type: ignore[no-untyped-call]
    chosen: Any = mlflow.get_tracking_uri() if was_set else None
    mlflow.set_tracking_uri(uri)
    os.environ["MLFLOW_DEFAULT_PREDICTION_DEVICE"] = "cpu"
    try:
        yield
    finally:
        mlflow.set_tracking_uri(chosen)
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
