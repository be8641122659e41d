from __future__ import annotations

import json
import math
import os
import shutil
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from cgl_ignite.cli.main import cgl
from cgl_ignite.data import DATASETS
from cgl_ignite.pipeline import RunResult
from cgl_ignite.student import logits, read_student, write_student


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten test digits as PNG files."""
    place = tmp_path_factory.mktemp("pictures")
    for row, image in enumerate(DATASETS.get("digits")(place).test().inputs[:10]):
        Image.fromarray(image[0].numpy()).save(place / f"{row}.png")
    return place


def predict(*arguments: object) -> Result:
    return CliRunner().invoke(cgl, ["predict", *map(str, arguments)])


def test_each_picture_gets_its_class(result: RunResult, pictures: Path) -> None:
    student, card = read_student(Path(result.student))
    shares = logits(student, DATASETS.get("digits")(pictures).test().inputs[:10]).softmax(1)
    done = predict(result.student, pictures, "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    found = json.loads(done.stdout)["predictions"]
    assert [entry["path"] for entry in found] == [str(pictures / f"{row}.png") for row in range(10)]
    for entry, row in zip(found, shares, strict=True):
        best = row.topk(3)
        labels = [card.classes[number] for number in best.indices.tolist()]
        assert [entry["label"], *(other["label"] for other in entry["next"])] == labels
        assert entry["probability"] == pytest.approx(best.values[0].item(), abs=1e-6)
        assert len(entry["next"]) == 2


def test_lines_for_people_and_for_other_programs(result: RunResult, pictures: Path, folder: Path) -> None:
    done = predict("latest", pictures / "3.png", pictures / "1.png", "--top", 2, "--folder", folder)
    assert done.exit_code == 0
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == [str(pictures / "3.png"), str(pictures / "1.png")]
    for _, first, share, second, less in rows:
        assert {first, second} <= set("0123456789")
        assert 1 >= float(share) >= float(less) >= 0


def test_one_class_or_all(result: RunResult, pictures: Path) -> None:
    assert len(predict(result.student, pictures / "0.png", "--top", 1).stdout.split("\t")) == 3
    cells = predict(result.student, pictures / "0.png", "--top", 99).stdout.strip().split("\t")
    assert set(cells[1::2]) == set("0123456789")
    assert sum(map(float, cells[2::2])) == pytest.approx(1, abs=1e-3)


def test_other_sizes_are_told(result: RunResult, pictures: Path, tmp_path: Path) -> None:
    Image.new("RGB", (30, 20)).save(tmp_path / "large.png")
    done = predict(result.student, pictures / "0.png", tmp_path / "large.png")
    assert done.exit_code == 0
    assert done.stderr == "note: 1 of 2 pictures scaled and cropped to 8 x 8\n"
    assert len(done.stdout.splitlines()) == 2


def test_a_bad_picture_does_not_stop_the_others(result: RunResult, pictures: Path, tmp_path: Path) -> None:
    good, bad, gone = pictures / "0.png", tmp_path / "bad.png", tmp_path / "gone.png"
    bad.write_bytes(good.read_bytes()[:60])
    alone = predict(result.student, good).stdout
    done = predict(result.student, bad, good, gone)
    assert (done.exit_code, done.stderr) == (1, "error: 2 of 3 files could not be read\n")
    lines = done.stdout.splitlines(keepends=True)
    assert lines[0].startswith(f"{bad}\terror: cannot be read as an image: ")
    assert lines[1] == alone
    assert lines[2:] == [f"{gone}\terror: does not exist\n"]
    done = predict(result.student, bad, good, "--json")
    assert done.exit_code == 1
    first, second = json.loads(done.stdout)["predictions"]
    assert [*first] == ["path", "error"]
    assert first["path"] == str(bad)
    assert [*second] == ["path", "label", "probability", "next"]


def test_a_folder_with_other_files(result: RunResult, pictures: Path, tmp_path: Path) -> None:
    shutil.copy(pictures / "0.png", tmp_path)
    for name in (".DS_Store", "notes.txt"):
        (tmp_path / name).touch()
    done = predict(result.student, tmp_path)
    assert (done.exit_code, len(done.stdout.splitlines())) == (0, 1)
    assert done.stderr.splitlines() == [
        "note: 1 hidden file, system file or broken link is passed over: .DS_Store",
        "note: 1 file is left out, as no image that can be read: .txt",
    ]


def test_no_picture_can_be_read(result: RunResult, tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"{number:02}.png").write_text("hello")
    failed = predict(result.student, tmp_path, tmp_path / "gone.png")
    assert (failed.exit_code, failed.stdout) == (2, "")
    lines = failed.stderr.splitlines()
    assert lines[0] == f"error: {tmp_path / '00.png'} cannot be read as an image: its format is not known"
    assert lines[10:] == ["  and 3 more"]
    failed = predict(result.student)
    assert (failed.exit_code, failed.stdout) == (2, "")


def test_a_path_that_is_not_utf8(result: RunResult, pictures: Path, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    shutil.copy(pictures / "0.png", path)
    done = predict(result.student, tmp_path)
    assert done.exit_code == 0
    assert done.stdout.startswith(f"{tmp_path}/caf\ufffd.png\t")
    entry = json.loads(predict(result.student, tmp_path, "--json").stdout)["predictions"][0]
    assert entry["path"] == str(path)


def test_answers_that_are_not_finite_are_an_error(result: RunResult, pictures: Path, tmp_path: Path) -> None:
    student, card = read_student(Path(result.student))
    with torch.no_grad():
        next(student.parameters()).fill_(math.nan)
    write_student(tmp_path / "damaged.pt", student, card)
    failed = predict(tmp_path / "damaged.pt", pictures, "--json")
    assert (failed.exit_code, failed.stdout) == (2, "")
    assert failed.stderr == "error: the student answers NaN or infinity: its weights are damaged\n"


def test_a_damaged_student(result: RunResult, pictures: Path, tmp_path: Path) -> None:
    torch.save([1], tmp_path / "list.pt")
    failed = predict(tmp_path / "list.pt", pictures)
    assert (failed.exit_code, failed.stdout) == (2, "")
    assert "not a student file" in failed.stderr
