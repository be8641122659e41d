"""The measuring scripts run, and what they compare computes the same."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SMALLEST = ["--rounds", "2", "--iterations", "1", "--threads", "1"]
FEWEST = ["optim.batch_size=4", "data.limit=2100", "data.encoding.length=64", "backbone.embedding=4"]
PADDED = "bare loop, padded to the maximum length"
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


@pytest.mark.slow
def test_overhead_of_texts(tmp_path: Path) -> None:
    output = tmp_path / "overhead.json"
    options = [*SMALLEST, *(f"--set={change}" for change in FEWEST), "--root", str(tmp_path), "--output", str(output)]
    command = [sys.executable, str(BENCHMARKS / "overhead.py"), *TEXT_LOOPS, *options]
    subprocess.run(command, capture_output=True, check=True, cwd=tmp_path)
    for result, loops in zip(json.loads(output.read_text("utf-8"))["cases"], TEXT_LOOPS.values(), strict=True):
        check(result, loops)


@pytest.mark.slow
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


FAILING = """
import sys
sys.path.insert(0, sys.argv.pop(1))
import suite
suite.PARTS["floor"] = lambda part, options: 1 / 0
suite.main()
"""


@pytest.mark.slow
def test_parts_of_the_suite_and_one_that_fails(tmp_path: Path) -> None:
    parts = ("floor", "cgl", "evaluation", "published")
    options = ["--tiny", "--rounds=2", "--clock=cpu", *(f"--only={part}" for part in parts)]
    command = [sys.executable, "-c", FAILING, str(BENCHMARKS), *options, "--output", str(tmp_path)]
    shown = subprocess.run(command, capture_output=True, text=True)
    assert shown.returncode == 1
    record = json.loads((tmp_path / "suite.json").read_text("utf-8"))
    assert record.keys() >= {"date", "commit", "command", "versions", "hardware", "load", "threads", "clock", "seconds"}
    assert (record["sizes"], record["rounds"]) == ("tiny", 2)
    assert record["failed"] == {"floor": "ZeroDivisionError: division by zero"}
    assert tuple(record["parts"]) == parts[1:]
    (found,) = record["parts"]["published"]
    assert found["rounds"].keys() == {"trainer", "published"}
    assert (found["loaders"], found["workers_per_loader"]) == (8, 2)
    assert found["worker_milliseconds"] > 0
    text = (tmp_path / "suite.md").read_text("utf-8")
    assert text.strip() in shown.stdout
    assert text.count("the smallest ResNet-8 on digits |") == 3
    assert "**floor failed**: ZeroDivisionError" in text
    assert (tmp_path / "suite.png").stat().st_size > 1000


@pytest.mark.slow
def test_the_whole_suite(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "suite.py"), "--tiny", "--rounds", "2", "--root", str(tmp_path)]
    subprocess.run([*command, "--output", str(tmp_path)], capture_output=True, check=True)
    parts = json.loads((tmp_path / "suite.json").read_text("utf-8"))["parts"]
    assert len(parts) == 9
    assert parts["growth"]["flat"]["parameters"] == 1
    assert parts["growth"]["flat"]["memory"]["8"]["growth_mib"] > 0
    assert (tmp_path / "growth.png").exists()
    shares = parts["machinery"]["records"]["share_of_a_minute"]
    assert shares["mlflow"] > 0 and shares["checkpoint"] > 0 and shares["screen, an epoch"] > 0
    assert shares["together"] == pytest.approx(sum(shares.values()) - shares["together"])
    assert shares["together"] < 0.2


@pytest.mark.slow
def test_machinery(tmp_path: Path) -> None:
    output = tmp_path / "machinery.json"
    command = [sys.executable, str(BENCHMARKS / "machinery.py"), "start-up", "batches", "--tiny", "--rounds", "2"]
    subprocess.run([*command, "--output", str(output)], capture_output=True, check=True, cwd=tmp_path)
    parts = json.loads(output.read_text("utf-8"))["parts"]
    assert 0.01 < parts["start-up"]["cgl --help"]["seconds"]["median"] < 60
    found = parts["batches"]["digits-cgl"]
    assert found["rows"] == 8 * 16
    assert 0 < found["batches_over_iteration"]["median"] < 1


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)

    def load(name: str) -> ModuleType:
        monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name)

    return load


@pytest.mark.parametrize(
    ("value", "options", "reached"),
    [
        ({"median": 1.05, "low": 1.02}, {"target": 1.03}, False),
        ({"median": 1.05, "low": 1.02}, {"target": 1.03, "judged": "low"}, True),
        ({"median": 1.03, "low": 1.02}, {"target": 1.03}, True),
        ({"median": 0.6}, {"target": 1.3, "least": 0.7}, False),
        ({"median": 0.7}, {"target": 1.3, "least": 0.7}, True),
        ({"median": 9.0}, {}, None),
    ],
)
def test_a_target_is_reached_or_not(script: Any, value: Any, options: Any, reached: bool | None) -> None:
    assert script("verdicts").Verdict("part", "what", value, **options).reached is reached


def test_the_loop_that_counts_is_the_faster_one(script: Any) -> None:
    row = {
        "title": "digits",
        "target": 0.5,
        "batch_size": 16,
        "threads": 1,
        "clock": "wall",
        "milliseconds": {"bare loop": {"median": 60.0}, "backward each": {"median": 50.0}, "padded": {"median": 1.0}},
        "trainer_over": {
            "bare loop": {"median": 0.45, "low": 0.4, "high": 0.5},
            "backward each": {"median": 0.54, "low": 0.51, "high": 0.55},
            "padded": {"median": 27.0, "low": 27.0, "high": 27.0},
        },
        "multiply_adds": {"trainer": 9.0, "bare loop": 10.0},
    }
    verdicts = script("verdicts")
    (line,) = verdicts.lines_of({"cgl": [row]})
    assert (line.value["median"], line.arithmetic, line.reached) == (0.54, 0.9, False)
    record = {
        "date": "today",
        "commit": "abc",
        "versions": {"torch": "2"},
        "hardware": {"gpu": None, "processor": "one", "cores": 2},
        "sizes": "full",
        "rounds": 15,
        "threads": 1,
        "clock": "wall",
        "command": "python suite.py",
        "failed": {"floor": "ValueError: no"},
    }
    table = verdicts.markdown(record, [line])
    assert "| 0.540 | 0.510 to 0.550 | <= 0.5 | **not reached** | 0.900 | batch 16, 1 threads" in table
    assert "against 'backward each' |" in table
    assert table.endswith("**floor failed**: ValueError: no\n")
    axes = verdicts.suite_figure([line, line._replace(unit="s")]).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [line.what]


def test_time_within_a_call_is_booked_once(script: Any) -> None:
    ticks = iter([0.0, 1.0, 3.0, 10.0])
    ledger = script("ledger").Ledger(lambda: next(ticks))
    inner = ledger.timed("inner", lambda: "done")
    assert ledger.timed("outer", inner)() == "done"
    assert ledger.spent == {"inner": [2.0], "outer": [8.0]}
    shares = script("ledger").share_of_a_minute({"save": [0.6, 3.0, 0.6], "draw": [1.0, 2.0]}, ["save"], ["draw"], 60.0)
    assert shares == pytest.approx({"save": 0.01, "draw": 0.05, "together": 0.06})


SCORES = {
    "seed": 1,
    "rows": {"holdout": 10, "test": 100},
    "holdout_right": [[8, 9], [9, 9], [7, 8], [9, 8], [8, 9]],
    "holdout_ce": [[0.9, 0.5], [0.6, 0.4], [0.9, 0.9], [0.4, 0.9], [0.3, 0.7]],
    "test_right": [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10]],
}
"""Five epochs of two students. Right over three epochs: 24 and 26 after the third, 25 and 25, 24 and 25."""


@pytest.mark.parametrize(
    ("rule", "state"),
    [
        ("accuracy, ties to the earliest epoch", (1, 1)),
        ("accuracy", (4, 0)),
        ("cross-entropy", (5, 0)),
        ("accuracy over three epochs", (3, 1)),
        ("last epoch", (5, 1)),
    ],
)
def test_the_rules_that_select(script: Any, rule: str, state: tuple[int, int]) -> None:
    selection = script("selection")
    chosen = selection.RULES[rule](selection.history_of(SCORES))
    assert (chosen.epoch, chosen.student) == state
    assert chosen.test == 2 * state[0] - (1 - state[1])


def test_the_table_of_rules(script: Any) -> None:
    better = {
        **SCORES,
        "seed": 2,
        "test_right": [[right + 10 * epoch for right in row] for epoch, row in enumerate(SCORES["test_right"])],
    }
    rows = {row["rule"]: row for row in script("selection").table([SCORES, better])}
    assert rows["accuracy, ties to the earliest epoch"]["difference"] == 0
    assert rows["accuracy"]["test_accuracy"] == pytest.approx((7 + 37) / 2)
    assert rows["accuracy"]["difference"] == pytest.approx((5 + 35) / 2)
    assert rows["accuracy"]["interval"] == pytest.approx([20 - 12.7062 * 15, 20 + 12.7062 * 15], abs=1e-2)


@pytest.mark.slow
def test_selection_goes_on_with_the_missing_seeds(tmp_path: Path) -> None:
    options = ["digits-cgl", "--folder", str(tmp_path), "--set", "run.epochs=1"]

    def call(seeds: int) -> str:
        command = [sys.executable, str(BENCHMARKS / "selection.py"), *options, "--seeds", str(seeds)]
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout

    assert "digits-cgl: 1 seeds" in call(1)
    (path,) = tmp_path.iterdir()
    first = json.loads(path.read_text("utf-8"))
    assert first.keys() >= {"date", "commit", "command", "versions", "hardware"}
    assert "seed 1 in" not in call(2)
    runs = json.loads(path.read_text("utf-8"))["runs"]
    assert [run["seed"] for run in runs] == [1, 2]
    assert runs[0] == first["runs"][0]
    assert {len(run[key]) for run in runs for key in ("holdout_right", "holdout_ce", "test_right")} == {1}
    assert {len(run["test_right"][0]) for run in runs} == {8}


@pytest.mark.slow
def test_networks(tmp_path: Path) -> None:
    output = tmp_path / "networks.json"
    options = ["--rounds", "2", "--iterations", "1", "--rows", "2", "--output", str(output)]
    subprocess.run([sys.executable, str(BENCHMARKS / "networks.py"), *options], capture_output=True, check=True)
    record = json.loads(output.read_text("utf-8"))
    assert [result["network"] for result in record["results"]] == ["resnet18", "mobilenet_v3_small"]
    for result in record["results"]:
        ratio = result["planned_over_by_hand"]
        assert 0 < ratio["low"] <= ratio["median"] <= ratio["high"]


@pytest.mark.slow
def test_tables_of_all_forms(tmp_path: Path) -> None:
    output = tmp_path / "tables.json"
    options = ["--rows", "500", "--rounds", "1", "--output", str(output)]
    subprocess.run([sys.executable, str(BENCHMARKS / "tables.py"), *options], capture_output=True, check=True)
    forms = json.loads(output.read_text("utf-8"))["forms"]
    assert forms.keys() == {"csv", "parquet", "jsonl", "arrow"}
    assert len({name for form in forms.values() for name in form["ids"]}) == 1
    assert {run["rows"] for form in forms.values() for run in form["rounds"]} == {500}
