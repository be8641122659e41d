"""A student as a model of MLflow: a ``torch.export`` program that loads without this package."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import mlflow
import numpy as np
import torch
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec
from torch.export import ExportedProgram

from cgl_ignite.tracking.base import StudentModel

__all__ = ["log_student"]


def log_student(uri: str, run_id: str, model: StudentModel) -> str:
    """Log a student with a run of a store and return its URI, ``models:/m-...``.

    What :func:`mlflow.pytorch.log_model` does with the fluent API's active run is done here for the
    run that is named, whose status and times stay as they are.
    """
    network = model.network.module() if isinstance(model.network, ExportedProgram) else model.network
    example = model.example
    signature = ModelSignature(
        inputs=Schema([TensorSpec(example.dtype, (-1, *example.shape[1:]))]),
        outputs=Schema([TensorSpec(np.dtype(np.float32), (-1, *model.outputs))]),
    )
    with _environment(MLFLOW_TRACKING_URI=uri, MLFLOW_DEFAULT_PREDICTION_DEVICE="cpu"), _global_uri(uri):
        logged = Model.log(
            artifact_path=None,
            name=model.name,
            flavor=mlflow.pytorch,
            run_id=run_id,
            step=model.epoch,
            pytorch_model=network,
            signature=signature,
            input_example=example,
            pip_requirements=list(model.requirements or (f"torch=={_version()}",)),
            serialization_format="pt2",
        )
    return str(logged.model_uri)


def _version() -> str:
    return torch.__version__.partition("+")[0]


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def _global_uri(uri: str) -> Iterator[None]:
    """Lend MLflow's global tracking URI, for the parts of it that take no other."""
    raise NotImplementedError
