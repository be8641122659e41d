"""The measuring scripts run, and what they compare computes the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
SMALLEST = ["--rounds", "2", "--iterations", "1", "--threads", "1", "--set", "backbone.width=4"]
FEWEST = ["optim.batch_size=2", "data.limit=2100", "data.encoding.length=64", "backbone.embedding=4"]
PADDED = "bare loop, padded to the greatest length"
LOOPS = {"digits-baseline": {"bare loop"}, "digits-cgl": {"bare loop", "bare loop, backward per student"}}
TEXT_LOOPS = {"vdcnn9-cgl": LOOPS["digits-cgl"], "transformer-cgl": {*LOOPS["digits-cgl"], PADDED}}


def check(result: dict[str, Any], loops: set[str]) -> None:
    assert result["threads"] == 1
    assert result["trainer_over"].keys() == loops
    assert result["deviation_of_first_losses"] < 1e-4
    assert {len(times) for times in result["rounds"].values()} == {2}
    for ratio in result["trainer_over"].values():
        assert 0 < ratio["low"] <= ratio["median"] <= ratio["high"]


def test_overhead(tmp_path: Path) -> None:
    output = tmp_path / "overhead.json"
    command = [sys.executable, str(BENCHMARKS / "overhead.py"), *LOOPS, *SMALLEST, "--output", str(output)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    record = json.loads(output.read_text("utf-8"))
    assert record.keys() >= {"date", "commit", "command", "versions", "hardware", "load"}
    for result, (case, loops) in zip(record["cases"], LOOPS.items(), strict=True):
        assert result["case"] == case
        assert case in shown
        check(result, loops)


def test_overhead_of_texts(tmp_path: Path) -> None:
    output = tmp_path / "overhead.json"
    options = [*SMALLEST, *(f"--set={change}" for change in FEWEST), "--root", str(tmp_path), "--output", str(output)]
    command = [sys.executable, str(BENCHMARKS / "overhead.py"), *TEXT_LOOPS, *options]
    subprocess.run(command, capture_output=True, check=True, cwd=tmp_path)
    for result, loops in zip(json.loads(output.read_text("utf-8"))["cases"], TEXT_LOOPS.values(), strict=True):
        check(result, loops)


def test_cost_of_an_epoch_of_text(tmp_path: Path) -> None:
    output = tmp_path / "text.json"
    options = [*SMALLEST, *(f"--set={change}" for change in FEWEST), "--root", str(tmp_path), "--output", str(output)]
    command = [sys.executable, str(BENCHMARKS / "text.py"), "transformer-baseline", *options]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    record = json.loads(output.read_text("utf-8"))
    assert record.keys() >= {"date", "commit", "command", "versions", "hardware", "load"}
    (result,) = record["cases"]
    check(result, {"bare loop", PADDED})
    assert "an epoch of imdb" in shown
    for name, seconds in result["epoch_seconds"]["imdb"].items():
        assert seconds * result["rows_per_second"][name] == pytest.approx(23_000)
    assert result["memory"].keys() == {"trainer", "bare loop"}
    assert all(100 < one["before_mib"] < one["peak_mib"] < 4096 for one in result["memory"].values())


def test_encoding(tmp_path: Path) -> None:
    output = tmp_path / "encoding.json"
    command = [sys.executable, str(BENCHMARKS / "encoding.py"), "--made-up", "2000", "--rounds", "2"]
    subprocess.run([*command, "--output", str(output)], capture_output=True, check=True, cwd=tmp_path)
    record = json.loads(output.read_text("utf-8"))
    assert record.keys() >= {"date", "commit", "command", "versions", "hardware"}
    assert (record["rows"], record["kind"]) == (2000, "amazon_review_full")
    assert {len(times) for times in record["rounds"].values()} == {2}
    assert record["cache_hit_seconds"] < 1
    assert 100 < record["peak_mib"] < 4096
