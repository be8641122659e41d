"""ONNX and safetensors: a student comes back as it went in, whatever was changed in its file is told, and so is what
is not installed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from cgl_ignite.backbones.vdcnn import KMaxPool
from cgl_ignite.errors import InputError
from cgl_ignite.formats import EXPORT_FORMATS
from cgl_ignite.student import Student, answer_texts, read_student, write_student
from cgl_ignite.student.compare import Difference, compare
from cgl_ignite.student.seal import PLACE, is_sealed, seal
from tests.student.conftest import Trained
from tests.texts import finished_text_run

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
safetensors = pytest.importorskip("safetensors", reason="safetensors is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch", "ignore::FutureWarning:torch")

FORMS = ["onnx", "safetensors"]
Files = dict[str, Path]


def pixels(rows: int) -> torch.Tensor:
    return torch.rand(rows, 1, 8, 8, generator=torch.Generator().manual_seed(3))


@pytest.fixture(scope="module")
def files(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Student 1 in both formats."""
    folder = tmp_path_factory.mktemp("students")
    for form in FORMS:
        write_student(folder / f"student.{form}", trained.student(1), trained.card(1), form)
    return {form: folder / f"student.{form}" for form in FORMS}


def fault_of(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_student(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("form", FORMS)
def test_round_trip(files: Files, trained: Trained, form: str) -> None:
    read, card = read_student(files[form])
    assert card == trained.card(1)
    for rows in (1, 2, 5):
        with torch.no_grad():
            expected, found = trained.student(1)(pixels(rows)), read(pixels(rows))
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_safetensors_hold_the_weights_the_card_and_nothing_else(files: Files, trained: Trained) -> None:
    expected = trained.student(1).state_dict()
    with safetensors.safe_open(files["safetensors"], framework="pt") as file:
        assert set(file.keys()) == expected.keys()
        assert all(torch.equal(file.get_tensor(name), value) for name, value in expected.items())
        extra = file.metadata()
    assert extra.keys() == {"card.json", "format", "sha256"}
    assert (extra["card.json"], extra["format"]) == (trained.card(1).model_dump_json(), "1")


def test_an_onnx_program_takes_any_number_of_inputs_and_names_no_place_of_this_machine(
    files: Files, trained: Trained
) -> None:
    content = files["onnx"].read_bytes()
    session = onnxruntime.InferenceSession(content)
    ((given,), (answer,)) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape) == ("inputs", "tensor(float)", ["batch", 1, 8, 8])
    assert (answer.name, answer.shape) == ("logits", ["batch", 10])
    assert session.get_modelmeta().custom_metadata_map["card.json"] == trained.card(1).model_dump_json()
    for place in (Path(__file__).resolve().parents[2], Path(sys.prefix)):
        assert str(place).encode() not in content


@pytest.mark.parametrize("form", FORMS)
def test_whatever_was_changed_is_told(files: Files, tmp_path: Path, form: str) -> None:
    whole = files[form].read_bytes()
    path = tmp_path / "student"
    for place in range(1, len(whole), len(whole) // 23):
        spoiled = bytearray(whole)
        spoiled[place] ^= 0x10
        path.write_bytes(spoiled)
        assert "damaged" in fault_of(path), place
    path.write_bytes(whole[: len(whole) // 2])
    assert "damaged" in fault_of(path)
    path.write_bytes(whole + b"\0")
    assert "damaged, or changed since it was written: its content does not have its sha256" in fault_of(path)


def test_the_digest_is_that_of_the_content_with_zeros_in_its_place() -> None:
    import hashlib

    content = f"first {PLACE} {PLACE}".encode()
    sealed = seal(content)
    digest = hashlib.sha256(content).hexdigest()
    assert sealed == f"first sha256:{digest} {PLACE}".encode()
    assert is_sealed(sealed) and not is_sealed(content) and not is_sealed(b"")


def test_files_from_elsewhere(files: Files, tmp_path: Path) -> None:
    import onnx
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    assert "not a student file, or damaged" in fault_of(tmp_path / "other.safetensors")
    model = onnx.load(files["onnx"])
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "other.onnx")
    assert "not a student file, or damaged" in fault_of(tmp_path / "other.onnx")


def test_a_file_of_a_later_version(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cgl_ignite.student.extra.FORMAT", 2)
    write_student(tmp_path / "student.safetensors", trained.student(1), trained.card(1), "safetensors")
    assert "format 2, written by a later version; this one reads 1" in fault_of(tmp_path / "student.safetensors")


@pytest.mark.parametrize(("form", "other"), [("onnx", ".pt"), ("onnx", ".safetensors"), ("safetensors", ".onnx")])
def test_a_name_of_another_format(files: Files, tmp_path: Path, form: str, other: str) -> None:
    path = tmp_path / f"student{other}"
    path.write_bytes(files[form].read_bytes())
    named = {".pt": "state", ".onnx": "onnx", ".safetensors": "safetensors"}[other]
    assert fault_of(path) == (
        f"{path}: its name is one of format {named!r}, but its content is of format {form!r}, whose files end with "
        f".{form}"
    )


@pytest.mark.parametrize(("form", "package"), [("onnx", "onnxruntime"), ("safetensors", "safetensors")])
def test_a_package_that_is_not_installed(
    files: Files, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    remedy = rf"needs a package that cannot be imported \(.*{package}.*\): pip install 'cgl_ignite\[{form}\]'"
    with pytest.raises(InputError, match=remedy):
        write_student(tmp_path / "student", trained.student(1), trained.card(1), form)
    with pytest.raises(InputError, match=remedy):
        read_student(files[form])
    assert not list(tmp_path.iterdir())


def test_inputs_that_a_program_does_not_take(files: Files) -> None:
    read, _ = read_student(files["onnx"])
    with pytest.raises(InputError, match="ONNX Runtime cannot run the program"):
        read(torch.rand(1, 3, 8, 8))


class Scaled(torch.nn.Module):
    def __init__(self, student: Student, factor: float) -> None:
        super().__init__()
        self.student, self.factor = student, factor

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.student(inputs) * self.factor


def test_the_difference_between_a_student_and_its_program(trained: Trained) -> None:
    student, card = trained.student(1), trained.card(1)
    assert compare(student, student, card).largest == 0
    found = compare(student, Scaled(student, 1.5), card)
    assert found.largest == pytest.approx(found.logit / 2)
    assert not found.accepted
    assert Difference(0.9e-3, 1.0).accepted
    assert not Difference(1.1e-3, 1.0).accepted
    assert not Difference(float("nan"), 1.0).accepted


def test_every_format_says_what_it_needs() -> None:
    for form in FORMS:
        facts = EXPORT_FORMATS.facts(form)
        assert facts["suffix"] == f".{form}" and facts["extra"] == form
        assert set(facts["reads_with"]) <= set(facts["needs"])


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("backbone", ["vdcnn9", "transformer"])
def test_students_of_texts(tmp_path: Path, backbone: str, form: str) -> None:
    student, card = read_student(Path(finished_text_run(tmp_path, backbone).student))
    path = tmp_path / f"student.{form}"
    write_student(path, student, card, form)
    read, again = read_student(path)
    assert again == card
    texts = ["The food was cold.", "", "best again " * 30]
    torch.testing.assert_close(answer_texts(read, texts), answer_texts(student, texts), rtol=0, atol=1e-5)


class Tied(nn.Module):
    """Keeps the largest of many equal values, as VDCNN does where a text is padded."""

    def __init__(self) -> None:
        super().__init__()
        self.pool, self.classes = KMaxPool(8), nn.Linear(8, 10)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        values = (3 * inputs.flatten(2)).floor()
        result: torch.Tensor = self.classes(self.pool(values).flatten(1))
        return result


def test_the_program_keeps_the_same_of_equal_values(trained: Trained, tmp_path: Path) -> None:
    student = Tied().eval()
    write_student(tmp_path / "student.onnx", student, trained.card(1), "onnx")
    program = read_student(tmp_path / "student.onnx")[0]
    with torch.no_grad():
        torch.testing.assert_close(program(pixels(20)), student(pixels(20)), rtol=0, atol=1e-5)
