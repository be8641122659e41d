"""Which runs are examined, what they are called, and which are refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from cgl_ignite.analyses import analyse
from cgl_ignite.analyses.subjects import by_method, open_subjects
from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.errors import InputError
from cgl_ignite.pipeline import RunResult, run
from cgl_ignite.progress import ProgressReport, watching
from cgl_ignite.runs import open_run
from cgl_ignite.tracking.memory import MemoryTracker
from tests.student.runs import PIPELINE, SMALL
from tests.texts import without_models

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train CGL with two seeds and with another width, and the baseline."""
    folder = tmp_path_factory.mktemp("several")
    one = 'method.preset="baseline"', "method.students=1"
    tracker = MemoryTracker()
    with pytest.MonkeyPatch.context() as patch:
        without_models(patch)
        for changes in (("seeds=[1,2]",), ("seeds=[1]", *one), ("seeds=[1]", "backbone.width=2")):
            setting = [*SMALL, "run.epochs=1", f"tracking.folder={folder}", *changes]
            run(load_pipeline(PIPELINE, setting), tracker=tracker)
    return folder


def ids(folder: Path) -> list[str]:
    runs = (folder / "runs").glob("*/run.json")
    return [path.parent.name for path in sorted(runs, key=lambda path: json.loads(path.read_text())["started"])]


def cells(*rows: tuple[str, int, str, str | None]) -> str:
    keys = ("method", "seed", "status", "run_id")
    return json.dumps({"cells": [dict(zip(keys, row, strict=True)) for row in rows]})


def test_runs_of_one_method_stand_together(home: Path) -> None:
    first, second, single, _ = ids(home)
    subjects = open_subjects([second, single, first, first], home, CPU)
    assert {name: [one.id for one in runs] for name, runs in by_method(subjects).items()} == {
        "cgl": [second, first],
        "baseline": [single],
    }


def test_the_picture_of_paths_has_a_row_for_each_method_and_progress_is_told(home: Path) -> None:
    first, second, single, _ = ids(home)
    told: list[ProgressReport] = []
    with watching(told.append):
        finding = analyse(open_subjects([first, second, single], home, CPU), ["paths"], rows=40)["paths"]
    (axes,) = finding.figures()["paths"].axes
    assert axes.get_ylabel() == f"cgl\n{2 * len(finding.values['runs'][0]['paths'])} paths, 2 runs"
    lines = {line.get_label(): np.size(line.get_xdata()) for line in axes.lines}
    assert (lines["students"], lines["best on the holdout"]) == (2 * 3, 2)
    assert told == [("paths", done, done / 2, "of 2 runs") for done in range(3)]


def test_settings_that_a_name_would_confuse(home: Path) -> None:
    first, second, _, narrow = ids(home)
    subjects = open_subjects([first, narrow, second], home, CPU)
    assert [one.method for one in subjects] == [f"cgl ({first[:8]})", f"cgl ({narrow[:8]})", f"cgl ({first[:8]})"]


def test_a_comparison_stands_for_its_finished_runs(home: Path, tmp_path: Path) -> None:
    first, second, single, _ = ids(home)
    file = home / "comparisons" / "abc123" / "cells.json"
    file.parent.mkdir(parents=True)
    file.write_text(
        cells(("short", 1, "finished", first), ("plain", 1, "finished", single), ("short", 2, "failed", second))
    )
    for which in ("abc", str(file.parent)):
        assert [(one.method, one.id) for one in open_subjects([which], home, CPU)] == [
            ("short", first),
            ("plain", single),
        ]
    other = home / "comparisons" / "abd" / "cells.json"
    other.parent.mkdir()
    other.write_text(cells(("cgl", 1, "waiting", None)))
    with pytest.raises(InputError, match="comparison abd has no finished run yet"):
        open_subjects(["abd"], home, CPU)
    with pytest.raises(InputError, match="2 comparisons begin with 'ab'"):
        open_subjects(["ab"], home, CPU)
    other.write_text("{")
    with pytest.raises(InputError, match="not the cells of a comparison"):
        open_subjects(["abd"], home, CPU)


def test_a_run_that_is_not_finished(home: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(home / "runs" / ids(home)[0], tmp_path / "run")
    (copy / "result.json").unlink()
    with pytest.raises(InputError, match="is not finished; go on with it first"):
        open_subjects([str(copy)], tmp_path, CPU)


def test_a_run_without_weights(home: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(home / "runs" / ids(home)[0], tmp_path / "run")
    (copy / "checkpoint.pt").unlink()
    with pytest.raises(InputError, match=r"checkpoint\.pt: no such checkpoint"):
        open_subjects([str(copy)], tmp_path, CPU)


def test_other_data_than_those_of_the_run(home: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(home / "runs" / ids(home)[0], tmp_path / "run")
    checkpoint = torch.load(copy / "checkpoint.pt", weights_only=True)
    checkpoint["facts"]["data"]["test: rows"] = "17"
    torch.save(checkpoint, copy / "checkpoint.pt")
    (subject,) = open_subjects([str(copy)], tmp_path, CPU)
    with pytest.raises(InputError, match=r"the data have changed since run .* began"):
        _ = subject.splits


def test_a_checkpoint_that_lies_alone(result: RunResult, tmp_path: Path) -> None:
    shutil.copy(result.checkpoint, tmp_path / "alone.pt")
    (subject,) = open_subjects([str(tmp_path / "alone.pt")], tmp_path, CPU)
    assert (subject.method, len(subject.splits.test())) == ("cgl", 360)


def test_the_rows_are_those_of_the_run(result: RunResult, folder: Path) -> None:
    (subject,) = open_subjects(["latest"], folder, CPU)
    logits, targets = subject.logits(subject.pool(), subject.splits.test())
    hits = (logits.argmax(-1) == targets).double().mean(1) * 100
    assert hits[result.selected_student].item() == pytest.approx(result.test_accuracy, abs=1e-4)
    assert hits.mean().item() == pytest.approx(result.mean_test_accuracy, abs=1e-4)
    assert len(subject.some(subject.splits.train, 50, "test")) == 50
    assert len(subject.some(subject.splits.train, 5000, "test")) == 300
    assert open_run("latest", folder).facts["run_id"] == subject.id


def test_an_option_of_an_analysis_that_is_not_made(result: RunResult, folder: Path) -> None:
    subjects = open_subjects(["latest"], folder, CPU)
    with pytest.raises(InputError, match="draws belongs to the analysis 'flatness', which is not asked for"):
        analyse(subjects, ["calibration"], draws=3)
    with pytest.raises(InputError, match="unknown analysis 'flat'"):
        analyse(subjects, ["flat"])


def test_what_does_not_apply_is_left_out_unless_it_is_asked_for(home: Path) -> None:
    subjects = open_subjects([ids(home)[2]], home, CPU)
    told: list[str] = []
    found = analyse(subjects, (), told.append, draws=1, rows=20)
    assert list(found) == ["flatness", "calibration"]
    assert [line for line in told if line.startswith("no ")] == [
        "no diversity: diversity is about several students, and each of these runs has one",
        "no paths: paths are about modules to choose from, and each of these runs has a single path",
        "no structures: structures are compared if their paths are the same in all runs, such as"
        ' routing = { kind = "random", seed = 7 }; of these runs fewer than two have such a structure',
    ]
    with pytest.raises(InputError, match="several students"):
        analyse(subjects, ["diversity"])
