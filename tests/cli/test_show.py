from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from cgl_ignite.catalogue import REGISTRIES, load_pipeline
from cgl_ignite.cli.main import cgl
from cgl_ignite.cli.preview import Preview

PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"
DIGITS = str(PIPELINES / "digits_resnet.toml")
SMALL = ("data.limit=1437", "data.holdout=237", "optim.batch_size=16", "method.students=8")


def show(*arguments: str) -> Result:
    return CliRunner().invoke(cgl, ["show", *arguments])


@pytest.mark.parametrize("path", sorted(PIPELINES.glob("*.toml")), ids=lambda path: path.stem)
def test_what_is_shown_is_the_pipeline_itself(path: Path, workdir: Path) -> None:
    done = show(str(path), "--set", "run.epochs=7")
    assert (done.exit_code, done.stderr) == (0, "")
    Path("shown.toml").write_text(done.stdout)
    assert load_pipeline("shown.toml") == load_pipeline(path, ["run.epochs=7"])


def test_every_value_says_where_it_comes_from() -> None:
    lines = show(DIGITS, "--set", "run.epochs=7").stdout.splitlines()
    origins = {text.strip(): origin for text, _, origin in (line.partition("  # ") for line in lines) if text}
    assert origins["epochs = 7"] == "--set run.epochs=7"
    assert origins["students = 8"] == "preset cgl"
    assert origins["temperature = 3.0"] == "default"
    assert origins['kind = "digits"'].startswith(f"{DIGITS}:")
    assert origins['name = "digits_resnet"'] == "the name of the file"


def test_students_and_sizes() -> None:
    overrides = [argument for change in SMALL for argument in ("--set", change)]
    text = show(DIGITS, *overrides).stdout
    assert text.count("#   student ") == 8
    assert "10 per epoch: 150 rows a student, 16 at a time" in text


def test_sizes_known_by_hand() -> None:
    cgl_pool = Preview.of(load_pipeline(PIPELINES / "cifar100_resnet18.toml"))
    assert cgl_pool.parameters == 22_440_264
    assert cgl_pool.parameters_student == 11_220_132
    assert cgl_pool.iterations == 88
    three = ["method.preset=baseline", "method.students=3"]
    separate = Preview.of(load_pipeline(PIPELINES / "cifar100_resnet34.toml", three))
    assert (separate.parameters, separate.parameters_used) == (63_984_876, 63_984_876)
    assert separate.paths == [[0] * 17, [1] * 17, [2] * 17]


def test_unused_modules_are_not_on_a_path() -> None:
    table = "method.routing={kind='fixed', table=[[0, 1, 0, 1], [0, 0, 0, 0]]}"
    pool = Preview.of(load_pipeline(DIGITS, ["method.students=2", table]))
    assert (pool.modules, pool.parameters) == ((1, 2, 1, 2), pool.parameters_used)
    unused = Preview.of(load_pipeline(DIGITS, ["method.students=1"]))
    assert unused.parameters_used == unused.parameters_student == unused.parameters // 2


@pytest.mark.parametrize(
    ("limit", "holdout", "batch", "iterations"), [(1437, 237, 16, 10), (365, 237, 16, 1), (373, 237, 16, 1)]
)
def test_a_batch_of_one_row_is_left_out(limit: int, holdout: int, batch: int, iterations: int) -> None:
    changes = [f"data.limit={limit}", f"data.holdout={holdout}", f"optim.batch_size={batch}"]
    assert Preview.of(load_pipeline(DIGITS, changes)).iterations == iterations


def test_what_only_the_files_can_tell() -> None:
    local = ("--set", "data.kind=local_images", "--set", "data.path=x")
    text = show(DIGITS, *local).stdout
    assert "the files decide" in text
    assert "as many per epoch as the files give rows" in text


def test_the_size_of_images_is_used_without_the_files() -> None:
    local = ("--set", "data.kind=local_images", "--set", "data.path=x", "--set", "data.size=64")
    assert "(for colour images of 64 x 64 in two classes; the files decide)" in show(DIGITS, *local).stdout


def test_local_images_are_looked_at(tmp_path: Path) -> None:
    for number in range(30):
        path = tmp_path / ("val" if number < 6 else "train") / "abc"[number % 3] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (20, 10)).save(path)
    local = ["data.kind=local_images", f"data.path={tmp_path}", "method.students=2", "optim.batch_size=4"]
    preview = Preview.of(load_pipeline(DIGITS, local))
    assert (preview.spec.shape, preview.classes, preview.certain) == ((1, 10, 20), 3, True)
    assert preview.iterations == 3, "of 24 images 5 are the test set, and two students read 10 and 9 of the rest"
    lines = [" ".join(line.split()) for line in preview.figures()]
    assert lines[:3] == [
        "training rows 19 in 3 classes, inputs of 1 x 10 x 20",
        "of the holdout 6 = the validation part",
        "of the test part 5",
    ]


def test_more_students_than_the_images_allow_are_left_out(tmp_path: Path) -> None:
    for number in range(24):
        path = tmp_path / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8)).save(path)
    changes = ["data.kind=local_images", f"data.path={tmp_path}", "data.holdout=4", "method.students=2"]
    done = show(DIGITS, *(argument for change in changes for argument in ("--set", change)))
    assert done.exit_code == 0
    counts = [line.split()[2] for line in done.stdout.splitlines() if line.startswith("# cgl ")]
    assert counts == ["2", "4"], "15 images are too few for 8 sub-sets of at least two rows"


def test_a_folder_that_is_laid_out_wrongly(tmp_path: Path) -> None:
    done = show(DIGITS, "--set", "data.kind=local_images", "--set", f"data.path={tmp_path}")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "holds 0 class folders" in done.stderr


def test_kinds_lists_everything_registered() -> None:
    done = show("--kinds")
    assert done.exit_code == 0
    words = set(done.stdout.split())
    for registry in REGISTRIES.values():
        for kind in registry.kinds():
            assert {kind, *registry.options(kind)} <= words
    without = [line for line in done.stdout.splitlines() if line and not line.startswith(" ") and ": " not in line]
    assert without == ["metric"], "every other sort of part names the key that chooses it"
    lines = re.sub(r" +", " ", done.stdout)
    assert "padding = 4 a whole number of at least 0" in lines
    assert "probability (needed) a number of more than 0 and at most 1" in lines


def test_faults_leave_stdout_empty() -> None:
    done = show(DIGITS, "--set", "run.epoch=3")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "did you mean 'epochs'?" in done.stderr
    assert show().exit_code == 2


def multiply_adds(*changes: str) -> float:
    return Preview.of(
        load_pipeline(DIGITS, ["method.preset=baseline", 'run.average={kind="ema"}', *changes])
    ).multiply_adds


def test_a_frozen_teacher_costs_a_forward_pass() -> None:
    """Forward and backward is three forward passes, but for the first layer, whose input needs no gradient."""
    assert multiply_adds('method.teachers=["average"]') / multiply_adds() == pytest.approx(4 / 3, rel=0.01)


def test_a_distillation_is_shown_and_a_missing_teacher_is_an_error() -> None:
    assert "distillation                   5 epochs more" in show(DIGITS, "--set", "distil={epochs=5}").stdout
    for change in ('method.teachers=["nobody"]', 'distil={epochs=5, from="nobody"}'):
        done = show(DIGITS, "--set", change)
        assert done.exit_code == 2
        assert "the teacher 'nobody' is neither a file nor a run" in done.stderr


def test_a_reader_that_has_seen_enough_gets_no_error() -> None:
    command = [sys.executable, "-m", "cgl_ignite", "show", DIGITS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as shown:
        assert shown.stdout is not None and shown.stderr is not None
        shown.stdout.close()
        assert shown.stderr.read() == b""
