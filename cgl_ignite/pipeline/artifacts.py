"""What a run leaves behind: its setting at the start, its student and pictures at the end."""

from __future__ import annotations

import json
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from statistics import fmean

import torch
from ignite.engine.events import State

from cgl_ignite.config.dump import to_toml, values
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.handlers.selection import StudentSelector
from cgl_ignite.pipeline.assemble import Parts
from cgl_ignite.pipeline.folder import RunFolder
from cgl_ignite.pipeline.result import RunResult
from cgl_ignite.tracking import Journal
from cgl_ignite.tracking.files import write_atomically

__all__ = ["environment", "hand_over", "keep_setting"]

PACKAGES = ("cgl_ignite", "torch", "torchvision", "pytorch-ignite", "mlflow", "numpy")


def keep_setting(pipeline: Pipeline, journal: Journal) -> None:
    """Keep the effective pipeline and the environment with a run."""
    journal.text("pipeline.toml", to_toml(values(pipeline)))
    journal.text("environment.json", json.dumps(environment(), indent=1))


def environment() -> dict[str, str]:
    """Name what the numbers of a run may depend on besides its pipeline."""
    found = {"python": platform.python_version(), "platform": platform.platform(), "git": _commit()}
    found |= {name: _version(name) for name in PACKAGES}
    found["threads"] = str(torch.get_num_threads())
    found["device"] = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor() or "cpu"
    return found


def hand_over(
    pipeline: Pipeline,
    parts: Parts,
    folder: RunFolder,
    journal: Journal,
    state: State,
    selector: StudentSelector,
    seconds: float,
) -> RunResult:
    """Write the selected student, the pictures and the result of a run."""
    selected, test = state.selected, state.test
    result = RunResult(
        run_id=folder.run_id,
        seed=folder.facts["seed"],
        method=pipeline.method.preset,
        dataset=pipeline.data.kind,
        backbone=pipeline.backbone.kind,
        students=pipeline.method.students,
        selected_student=selected.student,
        selected_epoch=selected.epoch,
        holdout_accuracy=selected.score,
        test_accuracy=test.accuracy[selected.student],
        mean_test_accuracy=fmean(test.accuracy),
        diversity=test.diversity,
        parameters=sum(parameter.numel() for parameter in parts.pool.parameters()),
        parameters_student=sum(cost.parameters for cost in parts.costs),
        train_seconds=seconds,
        samples_per_second=pipeline.run.epochs * sum(parts.subsets.sizes) / max(seconds, 1e-9),
        checkpoint=str(folder.checkpoint),
        tracking_uri=journal.tracker.uri,
        student=str(folder.student),
        model=None,
    )
    write_atomically(folder.result, result.json().encode())
    return result


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    """Return the commit of the repository in the current folder, if it is one."""
    try:
        asked = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40"], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return asked.stdout.strip() if asked.returncode == 0 else "unknown"
