"""Both precisions are timed on the same batch, in turns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import precision
import pytest
import torch

from cgl_ignite import load_pipeline
from cgl_ignite.bench.passes import PlannedPass

PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"


def test_both_take_turns_in_a_precision_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[torch.dtype, int, int]] = []

    class Noted(PlannedPass):
        def __call__(self, iteration: int) -> Any:
            ran.append((self.parts.pool.precision, iteration, id(self.parts.optimizer)))
            return super().__call__(iteration)

    monkeypatch.setattr(precision, "PlannedPass", Noted)
    monkeypatch.setattr(precision, "repetitions", lambda seconds, most: 2)
    small = ["backbone.width=4", "optim.batch_size=4", "data.limit=200", "data.holdout=40", "run.threads=1"]
    found = precision.measure_precision(load_pipeline(PIPELINES / "digits_resnet.toml", small), 3, "wall")
    half, whole = torch.bfloat16, torch.float32
    assert [(kind, number) for kind, number, _ in ran[3:]] == [(half, 3), (half, 4), (whole, 3), (whole, 4)] * 3
    assert len({optimizer for _, _, optimizer in ran}) == 2
    assert {name: len(times) for name, times in found["rounds"].items()} == {"bfloat16": 3, "float32": 3}
    ratios = sorted(a / b for a, b in zip(found["rounds"]["bfloat16"], found["rounds"]["float32"], strict=True))
    assert found["bfloat16_over_float32"]["median"] == pytest.approx(ratios[1])
