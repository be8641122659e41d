"""What a result says about how sure its holdout accuracy is, and whether the student has learned anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.pipeline import RunResult, run
from cgl_ignite.pipeline.result import read_result
from cgl_ignite.tracking.memory import MemoryTracker

PIPELINE = Path(__file__).resolve().parents[2] / "pipelines" / "digits_resnet.toml"
SMALL = ["data.limit=300", "data.holdout=60", "backbone.width=8", "method={preset='baseline'}"]
NO_BETTER = "the selected student is no better than always answering the most frequent class"


def train(folder: Path, *changes: str) -> RunResult:
    (result,) = run(load_pipeline(PIPELINE, [*SMALL, f"tracking.folder={folder}", *changes]), tracker=MemoryTracker())
    return result


def test_an_absurd_learning_rate_ends_with_a_remark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = train(tmp_path, "optim.learning_rate=10", "run.epochs=2")
    assert result.at_chance
    assert 10 <= result.chance_accuracy < 25
    (line,) = [line for line in capsys.readouterr().err.splitlines() if NO_BETTER in line]
    figures = f"{result.holdout_accuracy:.2f} % on the holdout, of which that class has {result.chance_accuracy:.2f} %"
    assert f"({figures}); try another optim.learning_rate (now 10) or more run.epochs (now 2)" in line


def test_a_student_that_has_learned_something_has_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = train(tmp_path, "run.epochs=8")
    assert result.at_chance is False
    assert NO_BETTER not in capsys.readouterr().err
    share = result.holdout_accuracy / 100
    assert result.holdout_standard_error == pytest.approx(100 * (share * (1 - share) / 60) ** 0.5, abs=1e-5)


def test_a_result_of_before_is_still_read(tmp_path: Path) -> None:
    result = train(tmp_path, "run.epochs=1")
    (path,) = tmp_path.rglob("result.json")
    assert read_result(path) == result
    later = ("holdout_standard_error", "chance_accuracy", "at_chance", "training_accuracy", "diagnosis")
    values = {key: value for key, value in json.loads(result.json()).items() if key not in later}
    path.write_text(json.dumps(values), "utf-8")
    assert [getattr(read_result(path), key) for key in later] == [None] * 5
