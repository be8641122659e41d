from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from cgl_ignite.cli.main import cgl
from cgl_ignite.data import DATASETS
from cgl_ignite.pipeline import RunResult


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
