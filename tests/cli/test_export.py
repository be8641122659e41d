from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cgl_ignite.cli.main import cgl
from cgl_ignite.formats import EXPORT_FORMATS
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
    assert re.search(
        r"\nlargest difference from PyTorch \S+, at logits up to \S+ \(allowed: 0\.001 of them\)\n", done.stderr
    )


def test_runs_are_looked_for_in_mlruns(tmp_path: Path, workdir: Path) -> None:
    finished_run(workdir / "mlruns", "run.epochs=1", "data.limit=200")
    assert export("latest").stdout == "student.pt\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing",), "no run 'nothing'"),
        (("latest", "--student", "3"), "there is no student 3, only 0 to 2"),
        (("latest", "--student", "-1"), "-1 is not in the range"),
        (
            ("latest", "--format", "pickle"),
            "error: unknown format 'pickle' (known: 'state', 'pt2', 'onnx' or 'safetensors')",
        ),
        (
            ("latest", "--format", "pt2", "-o", "student.onnx"),
            "student.onnx: its name is one of format 'onnx', but its content is of format 'pt2', whose files end with",
        ),
        (("latest", "--precision", "int8"), "format 'state' has no int8; it is for 'onnx'"),
        (("latest", "--max-drop", "2"), "--max-drop and --root are for --precision int8"),
        (("latest", "--precision", "int4"), "'int4' is not one of 'float32', 'int8'"),
    ],
)
def test_wrong_input(result: RunResult, folder: Path, workdir: Path, arguments: tuple[str, ...], message: str) -> None:
    failed = export(*arguments, "--folder", folder)
    assert (failed.exit_code, failed.stdout) == (2, "")
    assert message in failed.stderr
    assert not list(workdir.iterdir())


def test_the_file_of_a_student_is_no_run(result: RunResult, folder: Path, workdir: Path) -> None:
    shutil.copy(result.student, "student.pt")
    failed = export("student.pt", "--folder", folder)
    message = f"error: student.pt holds a student, not its run; give the run, {result.run_id[:8]}\n"
    assert (failed.exit_code, failed.stdout, failed.stderr) == (2, "", message)


@pytest.mark.parametrize(
    ("error", "exit_code", "message"),
    [
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), 1, ": out of memory; free some, and export it "),
        (MemoryError(), 1, ": out of memory; free some, and export it again\n"),
        (ValueError("no such node"), 2, " (no such node); write it in the format 'state'\n"),
    ],
)
def test_memory_that_is_short_is_told_from_a_student_that_is_no_program(
    result: RunResult,
    folder: Path,
    workdir: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    exit_code: int,
    message: str,
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("torch.export.export", failing)
    failed = export("latest", "--format", "pt2", "--folder", folder)
    assert (failed.exit_code, failed.stdout) == (exit_code, "")
    assert failed.stderr.startswith(f"error: torch.export cannot turn backbone 'resnet8' into a program{message}")
    assert not list(workdir.iterdir())


FORMAT = """
from cgl_ignite.formats import EXPORT_FORMATS

@EXPORT_FORMATS.register("{name}", suffix=".txt", help="the number of the student alone")
def write(student, card):
    return str(card.student).encode()
"""


@pytest.fixture
def own_formats(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two modules with a format each, which are forgotten afterwards."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("_builders", "_facts"):
        monkeypatch.setattr(EXPORT_FORMATS, name, dict(getattr(EXPORT_FORMATS, name)))
    for name in ("named", "given"):
        monkeypatch.delitem(sys.modules, f"format_{name}", raising=False)
        (workdir / f"format_{name}.py").write_text(FORMAT.format(name=name))


@pytest.mark.usefixtures("own_formats")
def test_a_format_of_a_plugin(result: RunResult, folder: Path) -> None:
    """The plugin is given on the command line, or is one of the run's."""
    done = export("latest", "--student", 1, "--format", "given", "--plugin", "format_given", "--folder", folder)
    assert (done.exit_code, done.stdout, Path("student.txt").read_text()) == (0, "student.txt\n", "1")
    unknown = export("latest", "--format", "gvien", "--folder", folder)
    known = "'state', 'pt2', 'onnx', 'safetensors' or 'given'"
    message = f"error: unknown format 'gvien'; did you mean 'given'? (known: {known})\n"
    assert (unknown.exit_code, unknown.stdout, unknown.stderr) == (2, "", message)
    missing = export("latest", "--plugin", "format_missing", "--folder", folder)
    assert (missing.exit_code, missing.stdout) == (2, "") and "cannot import 'format_missing'" in missing.stderr


@pytest.mark.usefixtures("own_formats")
def test_a_format_of_a_plugin_of_the_run(tmp_path: Path) -> None:
    finished_run(tmp_path / "runs", "run.epochs=1", "data.limit=200", "plugins=['format_named']")
    forgotten = {name: value for name, value in EXPORT_FORMATS._builders.items() if name != "named"}
    EXPORT_FORMATS._builders = forgotten
    del sys.modules["format_named"]
    done = export("latest", "--student", 2, "--format", "named", "--folder", tmp_path / "runs")
    assert (done.exit_code, done.stdout, Path("student.txt").read_text()) == (0, "student.txt\n", "2"), done.stderr


def test_help_lists_the_formats() -> None:
    shown = " ".join(export("--help").stdout.split())
    assert "state: weights, read with cgl_ignite; pt2: a program for PyTorch alone, from pixels or token ids" in shown
    assert "or one that a plugin adds. [default: state]" in shown


@pytest.mark.parametrize("verb", ["export", "evaluate", "predict"])
def test_help_loads_no_torch(verb: str) -> None:
    code = f"import sys; from cgl_ignite.cli.{verb} import {verb}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_new_folder_ends_with_a_slash(result: RunResult, folder: Path, workdir: Path) -> None:
    done = export("latest", "--folder", folder, "-o", "out/dir/")
    assert (done.exit_code, done.stdout) == (0, "out/dir/student.pt\n")
    assert Path("out/dir/student.pt").is_file()
