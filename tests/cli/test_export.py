from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cgl_ignite.cli.main import cgl
from cgl_ignite.pipeline import RunResult
from cgl_ignite.student import read_student
from tests.student.runs import finished_run

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch", "ignore::FutureWarning:torch")


def export(*arguments: object) -> Result:
    return CliRunner().invoke(cgl, ["export", *map(str, arguments)])


def test_the_selected_student_by_default(result: RunResult, folder: Path, workdir: Path) -> None:
    done = export("latest", "--folder", folder)
    assert (done.exit_code, done.stdout) == (0, "student.pt\n")
    place = f"student {result.selected_student} of run {result.run_id}, epoch {result.selected_epoch}"
    assert done.stderr == f"{place}\n"
    _, card = read_student(Path("student.pt"))
    assert (card.student, card.epoch) == (result.selected_student, result.selected_epoch)


def test_another_student_as_a_program(result: RunResult, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.pt2"
    done = export(result.run_id[:6], "--student", 2, "--format", "pt2", "-o", path, "--folder", folder)
    assert (done.exit_code, done.stdout) == (0, f"{path}\n")
    assert read_student(path)[1].student == 2


def test_runs_are_looked_for_in_mlruns(tmp_path: Path, workdir: Path) -> None:
    finished_run(workdir / "mlruns", "run.epochs=1", "data.limit=200")
    assert export("latest").stdout == "student.pt\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing",), "no run 'nothing'"),
        (("latest", "--student", "3"), "there is no student 3, only 0 to 2"),
        (("latest", "--student", "-1"), "-1 is not in the range"),
        (("latest", "--format", "onnx"), "'onnx' is not one of"),
    ],
)
def test_wrong_input(result: RunResult, folder: Path, workdir: Path, arguments: tuple[str, ...], message: str) -> None:
    failed = export(*arguments, "--folder", folder)
    assert (failed.exit_code, failed.stdout) == (2, "")
    assert message in failed.stderr
    assert not list(workdir.iterdir())


@pytest.mark.parametrize("verb", ["export", "evaluate", "predict"])
def test_help_loads_no_torch(verb: str) -> None:
    code = f"import sys; from cgl_ignite.cli.{verb} import {verb}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
