"""Copies that branch off late: what is averaged, and what is compared."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import late_branches
import pytest
import torch
from torch import nn

from cgl_ignite.data import Examples

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def network(weight: float) -> nn.Sequential:
    layers = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    nn.init.constant_(layers[0].weight, weight)
    return layers.eval()


def test_weights_are_averaged_and_running_statistics_estimated_anew() -> None:
    """Weights 1 and 3 give 2; the rows 1 and 3 become 2 and 6: mean 4, unbiased variance 8."""
    rows = Examples(torch.tensor([[1.0], [3.0]]), torch.tensor([0, 1]))
    one = late_branches.averaged([network(1.0), network(3.0)], rows)
    assert one[0].weight.item() == 2.0
    assert (one[1].running_mean.item(), one[1].running_var.item()) == (4.0, 8.0)
    assert not one.training


def test_differences_are_paired_by_seed() -> None:
    seeds = [{"one network": {"selected": 50.0}, "apart": {"averaged": 52.0}}]
    seeds += [{"one network": {"selected": 60.0}, "apart": {"averaged": 61.0}}]
    reference, row = late_branches.rows_of(seeds)
    assert (reference["difference"], row["row"], row["of"], row["mean"]) == (0.0, "apart", "averaged", 56.5)
    assert row["difference"] == 1.5
    assert tuple(row["over_seeds"]) == pytest.approx((1.5 - 12.7062 / 2, 1.5 + 12.7062 / 2), abs=1e-3)


@pytest.mark.slow
def test_the_script(tmp_path: Path) -> None:
    output = tmp_path / "branches.json"
    command = [sys.executable, str(BENCHMARKS / "late_branches.py"), str(BENCHMARKS / "races" / "digits.toml")]
    command += ["--epochs", "4", "--copies", "2", "--seeds", "1", "--set", "backbone.width=2", "--output", str(output)]
    subprocess.run(command, check=True, cwd=tmp_path, capture_output=True)
    record = json.loads(output.read_text("utf-8"))
    assert [(row["row"], row["of"]) for row in record["table"]] == [
        ("one network", "selected"),
        ("trunk", "selected"),
        *((row, of) for row in ("apart", "imitating") for of in ("selected", "mean", "ensemble", "averaged")),
    ]
    assert record["seeds"][0]["one network"]["selected"] == record["table"][0]["mean"]
