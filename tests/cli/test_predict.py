from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from cgl_ignite.cli.main import cgl
from cgl_ignite.data import DATASETS
from cgl_ignite.pipeline import RunResult
from cgl_ignite.student import logits, read_student


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
    assert done.stderr == "1 of 2 pictures scaled and cropped to 8 x 8\n"
    assert len(done.stdout.splitlines()) == 2


def test_pictures_that_cannot_be_read(result: RunResult, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_text("hello")
    failed = predict(result.student, pictures / "0.png", tmp_path / "bad.png")
    assert (failed.exit_code, failed.stdout) == (2, "")
    assert f"{tmp_path / 'bad.png'} cannot be read as an image" in failed.stderr
    failed = predict(result.student, tmp_path / "gone.png")
    assert (failed.exit_code, failed.stdout) == (2, "")
    assert "there is no file" in failed.stderr
    failed = predict(result.student)
    assert (failed.exit_code, failed.stdout) == (2, "")


def test_a_damaged_student(result: RunResult, pictures: Path, tmp_path: Path) -> None:
    torch.save([1], tmp_path / "list.pt")
    failed = predict(tmp_path / "list.pt", pictures)
    assert (failed.exit_code, failed.stdout) == (2, "")
    assert "not a student file" in failed.stderr
