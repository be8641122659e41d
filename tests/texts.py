"""A small table of reviews, a pipeline that learns from it, and a finished run of it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.pipeline import RunResult, run
from cgl_ignite.tracking import Journal
from cgl_ignite.tracking.memory import MemoryTracker

__all__ = ["BACKBONES", "finished_text_run", "text_pipeline", "without_models", "write_reviews"]

WORDS = {"bad": ("awful", "cold", "never", "worst"), "good": ("great", "warm", "again", "best")}
FILLERS = ("the", "food", "was", "a", "place", "with", "people", "and", "it", "is")

BACKBONES: dict[str, dict[str, Any]] = {
    "vdcnn9": {"width": 2, "embedding": 4},
    "transformer": {"embedding": 8, "width": 8, "heads": 2, "feed_forward": 8},
}
ENCODINGS: dict[str, dict[str, Any]] = {
    "vdcnn9": {"kind": "characters", "length": 64},
    "transformer": {"kind": "sentencepiece", "vocabulary": 64, "length": 16},
}


def write_reviews(folder: Path, train: int = 80, test: int = 30) -> Path:
    """Write reviews whose words tell their class, as ``train.tsv`` and ``test.tsv``."""
    draw = random.Random(7)
    folder.mkdir(parents=True, exist_ok=True)
    for part, rows in (("train", train), ("test", test)):
        lines = []
        for row in range(rows):
            label = ("bad", "good")[row % 2]
            words = draw.choices(FILLERS, k=draw.randint(2, 9)) + draw.choices(WORDS[label], k=2)
            draw.shuffle(words)
            lines.append(f"{label}\t{' '.join(words)}")
        (folder / f"{part}.tsv").write_text("\n".join(lines) + "\n")
    return folder


def text_pipeline(folder: Path, backbone: str = "vdcnn9", method: str = "cgl") -> dict[str, Any]:
    """Describe a training on reviews below a folder, which are written if they are not there."""
    reviews = folder / "reviews"
    if not reviews.exists():
        write_reviews(reviews)
    return {
        "name": "reviews",
        "data": {
            "kind": "local_text",
            "root": str(folder),
            "path": str(reviews),
            "holdout": 20,
            "encoding": dict(ENCODINGS[backbone]),
        },
        "backbone": {"kind": backbone, **BACKBONES[backbone]},
        "method": {"preset": method},
        "optim": {"kind": "adam", "learning_rate": 1e-2, "batch_size": 64},
        "run": {"epochs": 2, "device": "cpu", "checkpoint_every": {"iterations": 1}},
        "tracking": {"folder": str(folder / "tracking")},
    }


def without_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Store no student as a model, which would take most of the time of so short a training."""
    monkeypatch.setattr(Journal, "model", lambda *_: None)


def finished_text_run(folder: Path, backbone: str = "vdcnn9") -> RunResult:
    """Train eight students on reviews for two epochs and record them below a folder."""
    with pytest.MonkeyPatch.context() as patch:
        without_models(patch)
        (result,) = run(load_pipeline(text_pipeline(folder, backbone)), tracker=MemoryTracker())
    return result
