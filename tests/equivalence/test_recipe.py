"""The parts of a modern recipe, all at once: every method and every backbone trains with them and resumes exactly."""

from __future__ import annotations

from pathlib import Path

import pytest

from cgl_ignite.backbones import BACKBONES
from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.presets import METHODS
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.pipeline import run
from cgl_ignite.tracking.memory import MemoryTracker
from tests.equivalence.test_resume import PIPELINE, Stop, StoppingScreen, assert_identical, outcome
from tests.test_registered_parts import OPTIONS
from tests.texts import text_pipeline, without_models

RECIPE = [
    "optim.kind=adamw",
    "optim.decay=weights",
    "optim.clip_norm=1.0",
    'optim.schedule={kind="cosine", warmup=0.25, final=0.01}',
    'run.average={kind="ema", decay=0.9, start=0.25}',
]
IMAGES = [
    'data.augment=[{kind="crop_flip", padding=1, flip="alternating"}, {kind="mixup"}, {kind="cutmix"}]',
    "data.limit=200",
    "data.holdout=40",
    "run.epochs=3",
    "run.device=cpu",
]


def small(changes: tuple[str, ...]) -> list[str]:
    return [] if any(change.startswith("backbone.") for change in changes) else ["backbone.width=4"]


def pipeline(folder: Path, preset: str, *changes: str) -> Pipeline:
    method = [f"method.preset={preset}", "method.loss.label_smoothing=0.1"]
    return load_pipeline(PIPELINE, [*method, *small(changes), *IMAGES, *RECIPE, f"tracking.folder={folder}", *changes])


@pytest.mark.parametrize("preset", METHODS)
def test_every_method_resumes(tmp_path: Path, preset: str) -> None:
    (whole,) = run(pipeline(tmp_path / "whole", preset), tracker=MemoryTracker())
    setting, tracker = pipeline(tmp_path / "stopped", preset, "run.checkpoint_every={iterations = 2}"), MemoryTracker()
    with pytest.raises(Stop):
        run(setting, screen=StoppingScreen(5, Stop), tracker=tracker)
    (result,) = run(setting, resume=True, tracker=tracker)
    assert_identical(outcome(tmp_path / "stopped", result.run_id), outcome(tmp_path / "whole", whole.run_id))


TEXTS = ["data.augment=[{kind='token_dropout'}, {kind='word_dropout'}]", "method.preset=cgl", "method.students=3"]


def with_backbone(folder: Path, backbone: str, *changes: str) -> Pipeline:
    options = [f"backbone.{name}={value}" for name, value in OPTIONS["backbone", backbone].items()]
    if BACKBONES.facts(backbone)["modality"] == "image":
        return pipeline(folder, "cgl", "method.students=3", f"backbone.kind={backbone}", *options, *changes)
    small = ["data.limit=60", "data.holdout=12", "run.epochs=3", "run.device=cpu", "optim.batch_size=8"]
    chosen = [f"backbone.kind={backbone}", *options, "method.loss.label_smoothing=0.1"]
    base = text_pipeline(folder.parent)
    return load_pipeline(base, [*TEXTS, *small, *chosen, *RECIPE, f"tracking.folder={folder}", *changes])


@pytest.mark.parametrize("backbone", BACKBONES.kinds())
def test_every_backbone_resumes(tmp_path: Path, backbone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    without_models(monkeypatch)
    (whole,) = run(with_backbone(tmp_path / "whole", backbone), tracker=MemoryTracker())
    setting = with_backbone(tmp_path / "stopped", backbone, "run.checkpoint_every={iterations = 1}")
    tracker = MemoryTracker()
    with pytest.raises(Stop):
        run(setting, screen=StoppingScreen(3, Stop), tracker=tracker)
    (result,) = run(setting, resume=True, tracker=tracker)
    assert_identical(outcome(tmp_path / "stopped", result.run_id), outcome(tmp_path / "whole", whole.run_id))
