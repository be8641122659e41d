"""The measuring scripts run, and what they compare computes the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
SMALLEST = ["--rounds", "2", "--iterations", "1", "--threads", "1", "--set", "backbone.width=2"]
LOOPS = {"digits-baseline": {"bare loop"}, "digits-cgl": {"bare loop", "bare loop, backward per student"}}


def test_overhead(tmp_path: Path) -> None:
    output = tmp_path / "overhead.json"
    command = [sys.executable, str(BENCHMARKS / "overhead.py"), *LOOPS, *SMALLEST, "--output", str(output)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    record = json.loads(output.read_text("utf-8"))
    assert record.keys() >= {"date", "commit", "command", "versions", "hardware", "load"}
    for result, (case, loops) in zip(record["cases"], LOOPS.items(), strict=True):
        assert result["case"] == case
        assert result["threads"] == 1
        assert case in shown
        assert result["trainer_over"].keys() == loops
        assert result["deviation_of_first_losses"] < 1e-4
        assert {len(times) for times in result["rounds"].values()} == {2}
        for ratio in result["trainer_over"].values():
            assert 0 < ratio["low"] <= ratio["median"] <= ratio["high"]


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
