from __future__ import annotations

import json
from pathlib import Path

from cgl_ignite.bench.report import lines, markdown, speed_figure, write

TIMES = {"median": 2.0, "low": 1.5, "high": 1234.5}
TREE = {
    "pipeline": "digits", "backbone": "resnet8", "data": "digits", "made_up": True, "method": "cgl", "students": 2,
    "clock": "cpu", "threads": 1, "rounds": 15, "device": "cpu", "batch_size": 16,
    "training": {
        "milliseconds": {
            "trainer": TIMES, "bare loop": {**TIMES, "median": 0.5}, "batches alone": {**TIMES, "median": 0.01},
        },
        "trainer_over": {"bare loop": {**TIMES, "median": 4.25}},
        "multiply_adds": {"trainer": 3.0, "bare loop": 4.0},
    },
    "memory": {
        "predicted_mib": {"together": 1000.0}, "measured_mib": {"growth": 1500.0}, "measured_over_predicted": 1.5,
    },
}  # fmt: skip


def test_lines_are_those_of_the_parts_that_were_measured() -> None:
    cells = {line.name: line for line in lines(TREE)}
    assert [line.part for line in lines(TREE)] == ["training"] * 5 + ["memory"] * 3
    assert cells["trainer"][2:] == ("2.00", "1.50 to 1,234", "ms per iteration")
    assert cells["multiply-adds of trainer / bare loop"].value == "0.750"
    assert cells["growth of the process"].value == "1,500"


def test_a_method_without_a_loop_says_so() -> None:
    training = {"milliseconds": {"trainer": TIMES}, "trainer_over": {}, "multiply_adds": {}}
    assert "no loop by hand" in lines({"training": training})[-1].unit


def test_the_table_says_what_is_made_up() -> None:
    text = markdown(TREE)
    assert "digits (synthetic: random inputs of the same shape)" in text
    assert "processor time" in text
    assert len({line.count("|") for line in text.splitlines() if line.startswith("|")}) == 1


def test_the_picture_holds_the_trainer_against_each_bar() -> None:
    (axes,) = speed_figure(TREE).axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["batches alone", "trainer", "bare loop"]
    texts = [text.get_text().strip() for text in axes.texts]
    assert "trainer / this: 4.25" in texts
    assert "0.5% of the trainer" in texts


def test_there_is_a_picture_only_of_times_of_training(tmp_path: Path) -> None:
    write(TREE, tmp_path / "all")
    assert {path.name for path in (tmp_path / "all").iterdir()} == {"bench.json", "bench.md", "bench.png"}
    assert json.loads((tmp_path / "all" / "bench.json").read_text()) == TREE
    write({key: value for key, value in TREE.items() if key != "training"}, tmp_path / "memory")
    assert {path.name for path in (tmp_path / "memory").iterdir()} == {"bench.json", "bench.md"}
