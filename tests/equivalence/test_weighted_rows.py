"""Rows with weights through whole runs: killed and resumed, and from the file to what is learned."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.pipeline import run
from cgl_ignite.tracking.memory import MemoryTracker
from tests.equivalence.test_resume import Stop, StoppingScreen, assert_identical, outcome

WORDS = {"good": ("fine", "great", "nice", "happy"), "bad": ("sad", "awful", "poor", "angry")}


def write_texts(folder: Path, weights: list[float]) -> dict[str, Any]:
    draws = random.Random(1)
    lines = ["label,text,weight"]
    for weight in weights:
        label = draws.choice(list(WORDS))
        lines.append(f"{label},{' '.join(draws.choice(WORDS[label]) for _ in range(4))},{weight}")
    (folder / "rows.csv").write_text("\n".join(lines))
    data: dict[str, Any] = {"kind": "local_text", "path": str(folder / "rows.csv"), "text": ["text"]}
    data["encoding"] = {"kind": "characters", "length": 64}
    return {"data": data, "backbone": {"kind": "vdcnn9", "width": 4}}


def write_images(folder: Path, weights: list[float]) -> dict[str, Any]:
    draws = np.random.default_rng(1)
    lines = ["file_name,label,weight"]
    for number, weight in enumerate(weights):
        pixels = draws.integers(0, 128, (8, 8, 3)) + 100 * (number % 3 == 0)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
        lines.append(f"{number}.png,{'rare' if number % 3 == 0 else 'frequent'},{weight}")
    (folder / "rows.csv").write_text("\n".join(lines))
    data = {
        "kind": "local_images",
        "path": str(folder),
        "table": "rows.csv",
        "balance": "loss",
        "augment": [{"kind": "crop_flip", "padding": 1}, {"kind": "mixup"}],
    }
    return {"data": data, "backbone": {"kind": "resnet8", "width": 4}}


def pipeline(tree: dict[str, Any], folder: Path, *, weighted: bool = True) -> Pipeline:
    data = {**tree["data"], "root": str(folder), "holdout": 10} | ({"weight": "weight"} if weighted else {})
    method = {"preset": "cgl", "students": 2, "loss": {"label_smoothing": 0.1}}
    rest = {
        "optim": {"kind": "adam", "learning_rate": 0.001, "batch_size": 8},
        "run": {"epochs": 2, "checkpoint_every": {"iterations": 3}, "device": "cpu"},
        "tracking": {"folder": str(folder)},
    }
    return load_pipeline({**tree, **rest, "data": data, "method": method})


def test_killed_and_resumed(tmp_path: Path) -> None:
    tree = write_images(tmp_path, [0.5 * (number % 5) for number in range(60)])
    whole, stopped, tracker = tmp_path / "whole", tmp_path / "stopped", MemoryTracker()
    (first,) = run(pipeline(tree, whole), tracker=MemoryTracker())
    with pytest.raises(Stop):
        run(pipeline(tree, stopped), screen=StoppingScreen(4, Stop), tracker=tracker)
    (second,) = run(pipeline(tree, stopped), resume=True, tracker=tracker)
    assert_identical(outcome(stopped, second.run_id), outcome(whole, first.run_id))


def test_weights_change_what_is_learned_and_equal_ones_do_not(tmp_path: Path) -> None:
    pools = []
    for name, weights in (("none", None), ("equal", [7.0] * 60), ("other", [1.0, 3.0] * 30)):
        folder = tmp_path / name
        folder.mkdir()
        tree = write_texts(folder, weights or [1.0] * 60)
        (result,) = run(pipeline(tree, folder, weighted=weights is not None), tracker=MemoryTracker())
        pools.append(outcome(folder, result.run_id)["state"]["pool"])
    none, equal, other = pools
    assert_identical(equal, none)
    assert any(not torch.equal(value, other[name]) for name, value in none.items())
