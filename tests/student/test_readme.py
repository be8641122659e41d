"""The lines in a student's README load its file and answer as the student does, where this package is not installed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from cgl_ignite.formats import EXPORT_FORMATS
from cgl_ignite.student import Card, answer_texts, logits, read_pictures, read_student, write_student
from cgl_ignite.student.file import usage_of
from cgl_ignite.student.readme import PICTURE, TEXT, readme
from tests.student.conftest import Trained
from tests.texts import finished_text_run

for package in ("onnxruntime", "safetensors"):
    pytest.importorskip(package, reason=f"{package} is not installed")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch", "ignore::FutureWarning:torch")
BLOCKED = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "cgl_ignite":
            raise ModuleNotFoundError("there is no cgl_ignite here")

sys.meta_path.insert(0, Blocked())
"""


def run_lines(text: str, folder: Path) -> list[str]:
    """Run the Python of a README in its folder, without this package; return what it prints."""
    (lines,) = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    command = [sys.executable, "-W", "ignore", "-c", BLOCKED + lines]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def written(folder: Path, student: nn.Module, card: Card, form: str) -> str:
    """Write a student in a format and return its README."""
    file = f"student{EXPORT_FORMATS.facts(form)['suffix']}"
    write_student(folder / file, student, card, form)
    return readme(card, usage_of(form, file, card))


def three_best(answers: torch.Tensor, card: Card) -> list[tuple[str, float]]:
    shares, numbers = answers.softmax(1)[0].topk(min(3, len(card.classes)))
    return [(card.classes[number], share) for number, share in zip(numbers.tolist(), shares.tolist(), strict=True)]


def assert_printed(printed: list[str], expected: list[tuple[str, float]]) -> None:
    found = [line.rsplit(" ", 1) for line in printed]
    assert [name for name, _ in found] == [name for name, _ in expected]
    assert [float(share) for _, share in found] == pytest.approx([share for _, share in expected], abs=1e-4)


@pytest.mark.parametrize("form", ["pt2", "onnx"])
def test_a_picture(trained: Trained, tmp_path: Path, form: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (30, 40, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / PICTURE)
    student, card = trained.student(1), trained.card(1)
    text = written(tmp_path, student, card, form)
    assert text.startswith(card.markdown())
    (read,) = read_pictures([tmp_path / PICTURE], card)
    assert isinstance(read, tuple)
    assert_printed(run_lines(text, tmp_path), three_best(logits(student, read[0].unsqueeze(0)), card))


@pytest.mark.parametrize("form", ["state", "safetensors"])
def test_weights_alone(trained: Trained, tmp_path: Path, form: str) -> None:
    text = written(tmp_path, trained.student(1), trained.card(1), form)
    assert "the formats `pt2` and `onnx` hold the network, too" in text
    assert run_lines(text, tmp_path) == [str(list(trained.card(1).classes))]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["state", "pt2", "onnx"])
@pytest.mark.parametrize("backbone", ["vdcnn9", "transformer"])
def test_a_text(tmp_path: Path, backbone: str, form: str) -> None:
    student, card = read_student(Path(finished_text_run(tmp_path / "run", backbone).student))
    printed = run_lines(written(tmp_path, student, card, form), tmp_path)
    if form == "state":
        assert printed == [str(list(card.classes))]
    else:
        assert_printed(printed, three_best(answer_texts(student, [TEXT]), card))


def test_other_shapes_and_formats_without_lines(trained: Trained, tmp_path: Path) -> None:
    card = trained.card(1, shape=(4, 8, 8))
    assert "inputs = np.zeros((1, 4, 8, 8), np.float32)" in readme(card, usage_of("pt2", "student.pt2", card))
    assert readme(card, None) == card.markdown()
    quoted = usage_of("pt2", 'a "b".pt2', card)
    assert quoted is not None and r'torch.export.load("a \"b\".pt2"' in quoted.load[1]
