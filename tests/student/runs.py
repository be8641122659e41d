"""A small finished run on digits, for tests of what comes after it."""

from __future__ import annotations

from pathlib import Path

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.pipeline import RunResult, run
from cgl_ignite.tracking.memory import MemoryTracker

PIPELINE = Path(__file__).resolve().parents[2] / "pipelines" / "digits_resnet.toml"
SMALL = ("run.epochs=3", "data.limit=400", "data.holdout=100", "method.students=3", "backbone.width=4")


def finished_run(folder: Path, *changes: str) -> RunResult:
    """Train three students for three epochs and record them below a folder."""
    setting = load_pipeline(PIPELINE, [*SMALL, f"tracking.folder={folder}", *changes])
    (result,) = run(setting, tracker=MemoryTracker())
    return result
