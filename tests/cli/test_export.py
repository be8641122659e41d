from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from cgl_ignite.cli.main import cgl
from cgl_ignite.errors import InputError
from cgl_ignite.formats import EXPORT_FORMATS
from cgl_ignite.pipeline import RunResult
from cgl_ignite.runs import open_run, take_student
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


def test_the_file_of_a_student_is_written_in_another_format(
    result: RunResult, folder: Path, workdir: Path, tmp_path: Path
) -> None:
    """Wherever it lies: in the folder of a run it is that student, too, not the one that the run has selected."""
    other = (result.selected_student + 1) % 3
    place = folder / "runs" / result.run_id / "other.pt"
    assert export("latest", "--student", other, "-o", place, "--folder", folder).exit_code == 0
    try:
        done = export(place, "--format", "pt2", "--folder", folder)
        again = export(place, "-o", "again.pt", "--folder", tmp_path / "no runs here")
    finally:
        place.unlink()
        place.with_name("other.pt.md").unlink()
    assert (done.exit_code, done.stdout, again.stdout) == (0, "student.pt2\n", "again.pt\n")
    assert done.stderr.startswith(f"student {other} of run {result.run_id}, epoch {result.selected_epoch}\nlargest ")
    assert read_student("student.pt2")[1] == read_student("again.pt")[1]
    expected = take_student(open_run("latest", folder), other)[0].state_dict()
    found = read_student("again.pt")[0].state_dict()
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    refused = export("student.pt2", "--format", "state", "--folder", folder)
    message = f"error: student.pt2 holds a program, which cannot be changed; give the run, {result.run_id[:8]}\n"
    assert (refused.exit_code, refused.stdout, refused.stderr) == (2, "", message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "student.pt is the file that the student is taken from; choose another file"),
        (("--student", "0"), "student.pt holds one student; --student and --precision int8 are for runs and check"),
        (("--format", "onnx", "--precision", "int8"), "student.pt holds one student; --student and --precision int8 "),
    ],
)
def test_what_the_file_of_a_student_does_not_give(
    result: RunResult, folder: Path, workdir: Path, arguments: tuple[str, ...], message: str
) -> None:
    shutil.copy(result.student, "student.pt")
    failed = export("student.pt", *arguments, "--folder", folder)
    assert (failed.exit_code, failed.stdout) == (2, "")
    assert failed.stderr.startswith(f"error: {message}")
    assert read_student("student.pt")[1].student == result.selected_student


def test_a_file_in_the_folder_of_a_run_is_not_taken_for_the_run(result: RunResult, folder: Path) -> None:
    failed = export(Path(result.student).with_name("metrics.jsonl"), "--folder", folder)
    assert (failed.exit_code, failed.stdout) == (2, "") and "metrics.jsonl: not a student file" in failed.stderr
    with pytest.raises(InputError, match=rf"holds a student, not its run; give the run, {result.run_id[:8]}"):
        open_run(result.student, folder)


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
