"""The public face: these names and no others, each of them there, none of them loading PyTorch early."""

from __future__ import annotations

import subprocess
import sys

import cgl_ignite

NAMES = {
    "BACKBONES", "CHOICES", "DATASETS", "METRICS", "PREDICTION_METRICS", "ROUTINGS", "SELECTIONS", "SUBSETS",
    "AGGREGATIONS", "Backbone", "CglError", "Choice", "ConfigError",
    "DataSource", "ForwardOutputs", "Examples", "InputError", "InputSpec", "Interrupted", "ModularNetwork", "Pipeline",
    "Routing", "RunFailed", "RunResult", "Unit", "View", "__version__", "extract_student", "load_pipeline", "padded",
    "plan_forward", "pool_logits", "read_student", "run",
}  # fmt: skip


def test_the_names_are_those_that_users_rely_on() -> None:
    assert set(cgl_ignite.__all__) == NAMES == set(dir(cgl_ignite))


def test_every_name_is_there() -> None:
    assert all(getattr(cgl_ignite, name) is not None for name in NAMES)


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, cgl_ignite; print({'torch', 'mlflow', 'ignite', 'pydantic'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"
