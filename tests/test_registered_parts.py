"""Every registered part is trained for two steps, and once more with a stop after the first."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from cgl_ignite.catalogue import REGISTRIES, load_pipeline
from cgl_ignite.config.presets import METHODS
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.handlers.checkpoint import read_checkpoint
from cgl_ignite.pipeline import run
from cgl_ignite.tracking.memory import MemoryTracker
from tests.equivalence.test_resume import PIPELINE, Stop, StoppingScreen, assert_identical, outcome
from tests.texts import text_pipeline, without_models

TRAINED_HERE = {
    "augmentation": "data.augment",
    "subsets": "method.subsets",
    "encoding": "data.encoding",
    "backbone": "backbone",
    "routing": "method.routing",
    "choice": "method.choose",
    "aggregation": "method.weigh",
    "selection": "method.selection",
    "optimizer": "optim",
    "schedule": "optim.schedule",
    "average": "run.average",
}
"""Where a part of each sort is chosen in a pipeline."""

TESTED_ELSEWHERE = {"dataset", "metric", "prediction metric", "start"}
"""Sorts whose every kind is tested beside the module that registers it."""

OPTIONS: dict[tuple[str, str], dict[str, Any]] = {
    ("backbone", "resnet8"): {"width": 4},
    ("backbone", "resnet18"): {"width": 4},
    ("backbone", "resnet34"): {"width": 4},
    ("backbone", "module"): {"build": "tests.networks.Residual", "layers": 3},
    ("backbone", "vdcnn9"): {"width": 2},
    ("backbone", "vdcnn17"): {"width": 2},
    ("backbone", "vdcnn29"): {"width": 2},
    ("backbone", "transformer"): {"width": 8, "embedding": 8, "heads": 2, "feed_forward": 8},
    ("encoding", "characters"): {"length": 64},
    ("encoding", "sentencepiece"): {"length": 64, "vocabulary": 64},
    ("routing", "fixed"): {"table": [[0, 0, 0, 0], [1, 0, 1, 0], [1, 1, 0, 0]]},
    ("choice", "bernoulli"): {"probability": 0.5},
    ("choice", "constant"): {"imitated": 2},
    ("choice", "fixed"): {"size": 1},
    ("choice", "regular"): {"size": 2},
    ("aggregation", "gate"): {"reads": "student"},
    ("schedule", "milestones"): {"at": [0.5], "factor": 0.1},
}
"""Options that a part needs, or that keep it small."""

SMALL = [
    "method.students=3", "optim.batch_size=64", "data.limit=60", "data.holdout=12",
    "run.epochs=2", "run.device=cpu", "run.checkpoint_every={iterations = 1}",
]  # fmt: skip
"""Three students with 16 rows each: an epoch is one step."""

KINDS = [(sort, kind) for sort in TRAINED_HERE for kind in REGISTRIES[sort].kinds()]


@pytest.fixture(autouse=True)
def _without_models(monkeypatch: pytest.MonkeyPatch) -> None:
    without_models(monkeypatch)


def pipeline(sort: str, kind: str, folder: Path) -> Pipeline:
    """Choose one part in a small pipeline."""
    options = OPTIONS.get((sort, kind), {})
    required = [name for name, given in REGISTRIES[sort].options(kind).items() if given.default is given.empty]
    missing = [name for name in required if name not in options]
    assert not missing, f"the {REGISTRIES[sort].what} {kind!r} is not trained: give {missing} in OPTIONS"
    key = TRAINED_HERE[sort]
    chosen = [f"{key}.kind={kind}", *(f"{key}.{name}={value}" for name, value in options.items())]
    text = REGISTRIES[sort].facts(kind).get("modality") == "text"
    base = text_pipeline(folder.parent) if text else PIPELINE
    narrow = [] if sort == "backbone" else ["backbone.width=4"]
    return load_pipeline(base, [*SMALL, *narrow, *chosen, f"tracking.folder={folder}"])


def test_no_sort_of_part_is_forgotten() -> None:
    assert set(REGISTRIES) == TRAINED_HERE.keys() | TESTED_ELSEWHERE


def test_options_are_those_of_parts_that_exist() -> None:
    assert OPTIONS.keys() <= set(KINDS)


def trained_and_resumed(folder: Path, make: Callable[[Path], Pipeline]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Train, then once more with a stop after the first iteration; return its state and the end of both."""
    (result,) = run(make(folder / "whole"), tracker=MemoryTracker())
    expected = outcome(folder / "whole", result.run_id)
    stopped, tracker = make(folder / "stopped"), MemoryTracker()
    with pytest.raises(Stop):
        run(stopped, screen=StoppingScreen(1, Stop), tracker=tracker)
    (saved,) = (folder / "stopped").rglob("checkpoint.pt")
    halfway = read_checkpoint(saved)
    (result,) = run(stopped, resume=True, tracker=tracker)
    found = outcome(folder / "stopped", result.run_id)
    assert_identical(found, expected)
    return halfway, found


@pytest.mark.parametrize(("sort", "kind"), KINDS, ids=lambda name: name)
def test_a_part_trains_and_resumes(sort: str, kind: str, tmp_path: Path) -> None:
    halfway, found = trained_and_resumed(tmp_path, partial(pipeline, sort, kind))
    assert (halfway["trainer"]["iteration"], found["state"]["trainer"]["iteration"]) == (1, 2)
    moved = [name for name, value in found["state"]["pool"].items() if not torch.equal(value, halfway["pool"][name])]
    assert any(name.endswith("weight") for name in moved)
    assert [epoch for epoch, final, _ in found["rows"] if not final] == [1, 2]


@pytest.mark.parametrize(
    ("sort", "kind"),
    [(sort, kind) for sort, kind in KINDS if sort in ("backbone", "aggregation")],
    ids=lambda name: name,
)
def test_a_part_trains_in_bfloat16_and_resumes(sort: str, kind: str, tmp_path: Path) -> None:
    def lowered(folder: Path) -> Pipeline:
        whole = pipeline(sort, kind, folder)
        return whole.model_copy(update={"run": whole.run.model_copy(update={"precision": "bfloat16"})})

    _, found = trained_and_resumed(tmp_path, lowered)
    weights = [value for value in found["state"]["pool"].values() if value.is_floating_point()]
    assert {value.dtype for value in weights} == {torch.float32}
    assert all(value.isfinite().all() for value in weights)


@pytest.mark.parametrize("method", [name for name in METHODS if name != "okddip"])
def test_one_student_alone_is_a_pool_too(method: str, tmp_path: Path) -> None:
    """OKDDip's leader needs a peer, and says so (tests/config)."""
    alone = [f"method.preset={method}", "method.students=1", f"tracking.folder={tmp_path}"]
    small = [change for change in SMALL if not change.startswith("method.")]
    (result,) = run(load_pipeline(PIPELINE, [*small, *alone]), tracker=MemoryTracker())
    assert result.selected_student == 0
    assert result.diversity is None
