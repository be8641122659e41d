"""Train several students together and keep the best: collaborative group learning on PyTorch-Ignite.

``load_pipeline`` and ``run`` do everything a pipeline file says; the other names are the parts it is made of, for use
on tensors and layers of one's own. Nothing heavy is imported before it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cgl_ignite.backbones import BACKBONES, Backbone
    from cgl_ignite.catalogue import load_pipeline
    from cgl_ignite.config.schema import Pipeline
    from cgl_ignite.data import DATASETS, SUBSETS, DataSource, Examples
    from cgl_ignite.engine.evaluate import pool_logits
    from cgl_ignite.errors import CglError, ConfigError, InputError, Interrupted, RunFailed
    from cgl_ignite.imitation import AGGREGATIONS, CHOICES, Choice, ForwardOutputs, View
    from cgl_ignite.metrics import METRICS, PREDICTION_METRICS
    from cgl_ignite.pipeline import RunResult, run
    from cgl_ignite.pool import ROUTINGS, ModularNetwork, Routing, Unit, extract_student, padded, plan_forward
    from cgl_ignite.selection import SELECTIONS
    from cgl_ignite.spec import InputSpec
    from cgl_ignite.student import read_student

__all__ = [
    "AGGREGATIONS",
    "BACKBONES",
    "CHOICES",
    "DATASETS",
    "METRICS",
    "PREDICTION_METRICS",
    "ROUTINGS",
    "SELECTIONS",
    "SUBSETS",
    "Backbone",
    "CglError",
    "Choice",
    "ConfigError",
    "DataSource",
    "Examples",
    "ForwardOutputs",
    "InputError",
    "InputSpec",
    "Interrupted",
    "ModularNetwork",
    "Pipeline",
    "Routing",
    "RunFailed",
    "RunResult",
    "Unit",
    "View",
    "__version__",
    "extract_student",
    "load_pipeline",
    "padded",
    "plan_forward",
    "pool_logits",
    "read_student",
    "run",
]

__version__ = "0.1.0"

_HOMES = {
    "backbones": ("BACKBONES", "Backbone"),
    "catalogue": ("load_pipeline",),
    "config.schema": ("Pipeline",),
    "data": ("DATASETS", "SUBSETS", "DataSource", "Examples"),
    "engine.evaluate": ("pool_logits",),
    "errors": ("CglError", "ConfigError", "InputError", "Interrupted", "RunFailed"),
    "imitation": ("CHOICES", "AGGREGATIONS", "Choice", "ForwardOutputs", "View"),
    "metrics": ("METRICS", "PREDICTION_METRICS"),
    "pipeline": ("RunResult", "run"),
    "pool": ("ROUTINGS", "ModularNetwork", "Routing", "Unit", "extract_student", "padded", "plan_forward"),
    "selection": ("SELECTIONS",),
    "spec": ("InputSpec",),
    "student": ("read_student",),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"cgl_ignite.{module}"), name)
    raise AttributeError(f"module 'cgl_ignite' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
