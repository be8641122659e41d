"""What is kept beside the rows of a run: its setting at the start, its predictions and pictures at the end."""

from __future__ import annotations

import io
import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cgl_ignite.analysis.agreement import agreement, agreement_figure
from cgl_ignite.analysis.canvas import as_png
from cgl_ignite.analysis.figures import diversity_figure, routing_figure, training_figure
from cgl_ignite.analysis.layers_figure import CutLayer, layers_figure
from cgl_ignite.config.dump import to_toml, values
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.data import DataReport
from cgl_ignite.handlers.state import Scores
from cgl_ignite.pipeline.folder import PREDICTIONS
from cgl_ignite.pool.cost import LayerCost
from cgl_ignite.pool.routing import PATHS
from cgl_ignite.tracking import Journal, ask_git

__all__ = [
    "DATA_FILES",
    "PREDICTIONS",
    "environment",
    "keep_data",
    "keep_layers",
    "keep_pictures",
    "keep_predictions",
    "keep_routing",
    "keep_setting",
]

DATA_FILES = ("data.json", "data.md")
PACKAGES = ("cgl_ignite", "torch", "torchvision", "pytorch-ignite", "mlflow", "numpy")


def keep_setting(pipeline: Pipeline, journal: Journal) -> None:
    """Keep the effective pipeline and the environment with a run."""
    journal.text("pipeline.toml", to_toml(values(pipeline)))
    journal.text("environment.json", json.dumps(environment(), indent=1))


def keep_data(report: DataReport, data: Mapping[str, str], journal: Journal) -> None:
    """Keep the report of the data with a run, as values and as a page; ``data`` says which they were."""
    journal.text(DATA_FILES[0], json.dumps({**report.tree(), "read": dict(data)}, indent=1))
    journal.text(DATA_FILES[1], report.markdown())


def keep_routing(paths: Tensor, journal: Journal) -> None:
    """Keep the students' paths with a run, as a table and as a picture."""
    journal.text(PATHS, json.dumps(paths.tolist()))
    journal.content("routing.png", as_png(routing_figure(paths.tolist())))


def keep_predictions(test: Scores, selected: int, journal: Journal) -> None:
    """Keep what every student predicts on every test sample: numbers of classes, or of sets of labels with these."""
    largest = max(int(test.predicted.max()), int(test.targets.max()))
    smallest = np.uint8 if int(test.predicted.max()) < 256 else np.min_scalar_type(largest)
    more: dict[str, Any] = {} if test.label_sets is None else {"label_sets": test.label_sets.numpy()}
    file = io.BytesIO()
    np.savez_compressed(
        file,
        predicted=test.predicted.numpy().astype(smallest),
        targets=test.targets.numpy().astype(np.promote_types(np.uint16, smallest)),
        selected=np.int64(selected),
        **more,
    )
    journal.content(PREDICTIONS, file.getvalue())


def keep_pictures(test: Scores, selected: int, journal: Journal) -> None:
    """Keep the curves of the training, and how alike the students of a group have become."""
    journal.content("training.png", as_png(training_figure(journal.rows)))
    if len(test.accuracy) > 1:
        journal.content("diversity.png", as_png(diversity_figure(test.pairwise, selected)))
        agreed = agreement(test.predicted.numpy())
        journal.content("agreement.png", as_png(agreement_figure(agreed, selected)))


def keep_layers(operations: Sequence[Sequence[tuple[str, str]]], costs: Sequence[LayerCost], journal: Journal) -> None:
    """Keep the picture of a network that was cut into layers; of other networks the operations are not known."""
    if operations:
        layers = [
            CutLayer(each, cost.parameters, cost.forward, cost.output)
            for each, cost in zip(operations, costs, strict=True)
        ]
        journal.content("layers.png", as_png(layers_figure(layers, "Layers of a student")))


def environment() -> dict[str, str]:
    """Name what the numbers of a run may depend on besides its pipeline."""
    found = {"python": platform.python_version(), "platform": platform.platform(), "git": _commit()}
    found |= {name: _version(name) for name in PACKAGES}
    found["threads"] = str(torch.get_num_threads())
    found["device"] = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor() or "cpu"
    return found


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    """Return the commit of the repository in the current folder, if it is one."""
    return ask_git("describe", "--always", "--dirty", "--abbrev=40") or "unknown"
