"""The script for a GPU names its cases, keeps going, and measures what the trainer does."""

from __future__ import annotations

import json
from pathlib import Path

import gpu
import pytest
from click.testing import CliRunner

TINY = ["--tiny", "--rounds", "1", "--only", "resnet18 one bfloat16"]


def test_every_method_on_every_network_launched_and_replayed() -> None:
    names = [case.name for case in gpu.cases()]
    assert len(set(names)) == len(names) == 3 * 5 + 3 * 5 + 3 * 2
    assert names[0] == "resnet18 baseline bfloat16"
    assert "transformer cgl graphs" in names


def test_cases_that_are_replayed_can_be() -> None:
    for case in gpu.cases():
        pipeline = gpu.find_pipeline(case, tiny=False)
        assert pipeline.run.graphs is (case.way == "graphs")
        assert not pipeline.run.graphs or getattr(pipeline.backbone, "dropout", 0) == 0


def test_a_case_that_fails_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    record, clock = {"failed": {}, "left_out": []}, gpu.Clock(60.0)
    assert gpu.attempt(record, "one", clock, lambda: 1 // 0) is None
    assert gpu.attempt(record, "other", clock, lambda: 5) == 5
    assert gpu.attempt(record, "late", gpu.Clock(-1.0), lambda: 5) is None
    assert record == {"failed": {"one": "ZeroDivisionError: integer division or modulo by zero"}, "left_out": ["late"]}


@pytest.mark.slow
def test_a_tiny_case_is_measured(tmp_path: Path) -> None:
    result = CliRunner().invoke(gpu.main, [*TINY, "--output", str(tmp_path / "gpu.json")])
    assert result.exit_code == 0, result.output
    (case,) = json.loads((tmp_path / "gpu.json").read_text())["cases"]
    assert (case["rows"], case["students"]) == (4, 3)
    typical = case["milliseconds"]["trainer"]["median"]
    assert case["samples_per_second"] == pytest.approx(4000 / typical)
