from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from cgl_ignite.cli.main import cgl
from cgl_ignite.data import DATASETS
from cgl_ignite.pipeline import RunResult
from tests.student.runs import finished_run


def evaluate(*arguments: object) -> Result:
    return CliRunner().invoke(cgl, ["evaluate", *map(str, arguments)])


def test_a_student_scores_as_its_run_did(result: RunResult, folder: Path) -> None:
    for which in (result.student, result.checkpoint, "latest"):
        done = evaluate(which, "digits", "--limit", 400, "--folder", folder, "--json")
        assert done.exit_code == 0, done.output
        found = json.loads(done.stdout)
        assert found["accuracy"] == pytest.approx(result.test_accuracy, abs=1e-4)
        assert 0 < found["cross_entropy"] < 3
        assert (found["n"], found["run_id"], found["data"]) == (360, result.run_id, "digits")
        assert (found["student"], found["epoch"]) == (result.selected_student, result.selected_epoch)


def test_lines_for_people(result: RunResult) -> None:
    done = evaluate(result.student, "digits", "--device", "cpu")
    accuracy, loss, rows = done.stdout.splitlines()
    assert accuracy == f"accuracy       {result.test_accuracy:.2f} %"
    assert loss.startswith("cross-entropy  ")
    assert rows == "n              360"


def test_a_folder_per_class(result: RunResult, tmp_path: Path) -> None:
    source = DATASETS.get("digits")(tmp_path)
    for part, examples in (("train", source.train), ("test", source.test())):
        for row in range(60):
            path = tmp_path / part / str(int(examples.targets[row])) / f"{row}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(examples.inputs[row, 0].numpy()).save(path)
    done = evaluate(result.student, tmp_path, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["n"] == 60


@pytest.mark.parametrize(
    ("data", "message"),
    [("digit", "did you mean 'digits'?"), ("pets", "'cat' or 'dog' is unknown to it"), ("empty", "class folders")],
)
def test_data_that_do_not_fit(result: RunResult, workdir: Path, data: str, message: str) -> None:
    Path("empty").mkdir()
    for name in ("cat", "dog"):
        for row in range(3):
            path = Path("pets") / name / f"{row}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)
    failed = evaluate(result.student, data)
    assert (failed.exit_code, failed.stdout) == (2, "")
    assert message in failed.stderr


def test_files_and_devices_that_are_not_there(result: RunResult, workdir: Path) -> None:
    failed = evaluate("student.pt", "digits")
    assert (failed.exit_code, failed.stdout) == (2, "")
    assert "there is no file student.pt" in failed.stderr
    missing = evaluate(result.student, "digits", "--plugin", "no_such_parts")
    assert missing.exit_code == 2
    assert "cannot import 'no_such_parts'" in missing.stderr


def test_the_ensemble_of_a_run_on_the_rows_it_was_tested_on(result: RunResult, folder: Path) -> None:
    done = evaluate("latest", "--ensemble", "--folder", folder, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    named = (found["run_id"], found["epoch"], found["data"], found["students"], found["n"])
    assert named == (result.run_id, result.selected_epoch, "digits", 3, 360)
    assert found["selected"]["student"] == result.selected_student
    assert found["selected"]["accuracy"] == pytest.approx(result.test_accuracy, abs=1e-4)
    assert found["mean"]["accuracy"] == pytest.approx(result.mean_test_accuracy, abs=1e-4)
    assert found["best"]["accuracy"] >= found["selected"]["accuracy"]
    difference = found["ensemble_minus_selected"]
    assert difference["accuracy"] == pytest.approx(found["ensemble"]["accuracy"] - found["selected"]["accuracy"])
    low, high = difference["interval"]
    assert low <= difference["accuracy"] <= high
    assert found["cost"] == found["multiply_adds"] / found["multiply_adds_student"] == 3


def test_a_run_with_a_limit_is_measured_on_its_own_rows(tmp_path: Path) -> None:
    run = finished_run(tmp_path, "data.limit=150", "data.holdout=50", "run.epochs=1")
    own = json.loads(evaluate("latest", "--ensemble", "--folder", tmp_path, "--json").stdout)
    assert (own["n"], own["selected"]["accuracy"]) == (150, pytest.approx(run.test_accuracy, abs=1e-4))
    named = evaluate("latest", "digits", "--ensemble", "--folder", tmp_path, "--json", "--limit", 40)
    assert json.loads(named.stdout)["n"] == 40


def test_lines_about_an_ensemble(result: RunResult, folder: Path) -> None:
    lines = evaluate(result.checkpoint, "digits", "--ensemble", "--folder", folder).stdout.splitlines()
    found = json.loads(evaluate("latest", "--ensemble", "--folder", folder, "--json").stdout)
    names = ["", "ensemble", "selected student", "best student", "mean of students", "difference", "inference", "n"]
    assert [line[:16].strip() for line in lines] == names
    assert lines[1].split()[1] == f"{found['ensemble']['accuracy']:.2f}"
    assert lines[2].split()[2:] == [
        f"{result.test_accuracy:.2f}", "%", f"{found['selected']['cross_entropy']:.4f}",
        "student", str(result.selected_student),
    ]  # fmt: skip
    assert lines[6].startswith("inference         3.00 times the multiply-adds of one student (")


def test_an_ensemble_of_no_pool(result: RunResult, folder: Path, tmp_path: Path) -> None:
    finished_run(tmp_path, 'method.preset="baseline"', "method.students=1", "run.epochs=1")
    for which, place, message in (
        (result.student, folder, "holds one student; give the run"),
        ("latest", tmp_path, "has one student, which is no ensemble"),
        ("nobody", folder, "no run 'nobody'"),
    ):
        failed = evaluate(which, "digits", "--ensemble", "--folder", place)
        assert (failed.exit_code, failed.stdout, len(failed.stderr.splitlines())) == (2, "", 1)
        assert message in failed.stderr


def test_a_run_that_is_not_finished(result: RunResult, folder: Path, tmp_path: Path) -> None:
    """As for one student: the selection so far is measured, and without any there is an error."""
    state = torch.load(result.checkpoint, weights_only=True)
    torch.save(state, tmp_path / "stopped.pt")
    found = json.loads(evaluate(tmp_path / "stopped.pt", "--ensemble", "--json").stdout)
    assert found["selected"]["accuracy"] == pytest.approx(result.test_accuracy, abs=1e-4)
    state["selector"]["selected"] = None
    torch.save(state, tmp_path / "begun.pt")
    for more in ([], ["--ensemble"]):
        failed = evaluate(tmp_path / "begun.pt", "digits", *more)
        assert (failed.exit_code, failed.stdout) == (2, "")
        assert "no student is selected yet, as no epoch is finished" in failed.stderr


def test_a_student_needs_data(result: RunResult) -> None:
    failed = evaluate(result.student)
    assert (failed.exit_code, failed.stdout) == (2, "")
    assert "Missing argument 'DATA'" in failed.stderr


def test_a_report_of_pictures(result: RunResult, folder: Path, tmp_path: Path) -> None:
    report = tmp_path / "report"
    done = evaluate("latest", "digits", "--folder", folder, "--report", report, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    names = ["confusion.png", "mistakes.png", "reliability.png", "report.html", "report.json", "report.md"]
    assert sorted(file.name for file in report.iterdir()) == names
    assert json.loads((report / "report.json").read_text()) == found
    confusion = np.array(found["confusion"])
    assert confusion.sum() == found["n"] == 360
    assert 100 * confusion.trace() / 360 == pytest.approx(found["accuracy"])
    low, high = found["interval"]
    assert low < found["accuracy"] < high
    recall = [one["recall"] for one in found["per_class"].values()]
    assert np.mean(recall) == pytest.approx(found["metrics"]["balanced_accuracy"])
    surest = [one["confidence"] for one in found["mistakes"]]
    assert surest == sorted(surest, reverse=True) and len(surest) == min(24, 360 - confusion.trace())
    page = (report / "report.md").read_text()
    assert page.startswith(f"# Student {found['student']} of run {result.run_id} on digits")
    assert "| balanced accuracy |" in page and "![contact sheet](mistakes.png)" in page
    for one in found["mistakes"][:3]:
        assert f"| {one['row']} | {one['class']} | {one['predicted']} | {one['confidence']:.1f} |" in page


def test_a_report_that_cannot_be_written(result: RunResult, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    failed = evaluate(result.student, "digits", "--report", tmp_path / "file" / "report")
    assert (failed.exit_code, failed.stdout) == (2, "")
    assert "the report cannot be written to" in failed.stderr
    refused = evaluate("latest", "--ensemble", "--report", tmp_path / "report")
    assert refused.exit_code == 2
    assert "--report is about one student" in refused.stderr
