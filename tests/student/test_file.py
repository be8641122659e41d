"""A student comes back from its file as it went in, and a wrong file is named with its fault."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from cgl_ignite.backbones import BACKBONES, Backbone
from cgl_ignite.errors import InputError
from cgl_ignite.student import Chosen, Student, read_student, write_student

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch", "ignore::FutureWarning:torch")
FORMS = ["state", "pt2"]
"""The formats that are archives; the others have tests of their own in ``test_formats.py``."""


def pixels(rows, shape):
    return torch.rand(rows, *shape, generator=torch.Generator().manual_seed(3))


@pytest.fixture
def registry(monkeypatch):
    """Let a test register backbones that are forgotten after it."""
    monkeypatch.setattr(BACKBONES, "_builders", dict(BACKBONES._builders))
    monkeypatch.setattr(BACKBONES, "_facts", dict(BACKBONES._facts))
    return BACKBONES


@pytest.fixture(scope="module")
def files(trained, tmp_path_factory):
    """Student 1 in both formats."""
    folder = tmp_path_factory.mktemp("students")
    paths = {"state": folder / "student.pt", "pt2": folder / "student.pt2"}
    for form, path in paths.items():
        write_student(path, trained.student(1), trained.card(1), form)
    return paths


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("shape", "classifier"),
    [((1, 8, 8), "module"), ((1, 8, 8), "student"), ((1, 8, 8), "shared"), ((3, 32, 32), "module")],
)
def test_round_trip(train_pool, tmp_path, form, shape, classifier):
    trained = train_pool(shape, classifier)
    student, card = trained.student(1), trained.card(1)
    path = tmp_path / "deep" / "student"
    write_student(path, student, card, form)
    assert [file.name for file in path.parent.iterdir()] == ["student"]
    read, again = read_student(path)
    assert again == card
    for rows in (1, 2, 5):
        with torch.no_grad():
            expected, found = student(pixels(rows, shape)), read(pixels(rows, shape))
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_a_state_file_holds_weights_and_the_card_and_no_code(files, trained):
    content = torch.load(files["state"], weights_only=True)
    assert content.keys() == {"format", "card", "state_dict"}
    assert content["format"] == 1
    assert content["card"] == trained.card(1).model_dump_json()
    expected = trained.student(1).state_dict()
    assert content["state_dict"].keys() == expected.keys()
    assert all(torch.equal(content["state_dict"][name], value) for name, value in expected.items())


def test_a_file_is_about_as_large_as_its_weights(files, trained):
    weights = sum(value.nbytes for value in trained.student(1).state_dict().values())
    for path in files.values():
        assert path.stat().st_size < weights + 250_000


def test_a_program_runs_without_this_package(files, trained, tmp_path):
    given = pixels(3, (1, 8, 8))
    torch.save(given, tmp_path / "pixels.pt")
    code = (
        "import sys, torch\n"
        "extra = {'card.json': ''}\n"
        f"program = torch.export.load({str(files['pt2'])!r}, extra_files=extra)\n"
        f"logits = program.module()(torch.load({str(tmp_path / 'pixels.pt')!r}))\n"
        f"torch.save((logits.detach(), extra['card.json']), {str(tmp_path / 'answer.pt')!r})\n"
        "assert not [name for name in sys.modules if name.startswith('cgl_ignite')]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    logits, card = torch.load(tmp_path / "answer.pt")
    with torch.no_grad():
        torch.testing.assert_close(logits, trained.student(1)(given), rtol=0, atol=1e-6)
    assert card == trained.card(1).model_dump_json()


def test_reading_draws_nothing_from_the_global_generator(files):
    before = torch.get_rng_state()
    read_student(files["state"])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.gpu
@pytest.mark.parametrize("form", FORMS)
def test_a_student_is_read_onto_a_device(files, trained, form):
    student, _ = read_student(files[form], "cuda")
    given = pixels(3, (1, 8, 8))
    found = student(given.cuda())
    assert found.device.type == "cuda"
    torch.testing.assert_close(found.cpu(), trained.student(1)(given), rtol=1e-3, atol=1e-3)


def rewritten(path: Path, **changes: object) -> None:
    content = torch.load(path, weights_only=True)
    torch.save({**content, **changes}, path)


def fault_of(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_student(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


ALLOWED = "not a student file, or damaged; it must be one that cgl export writes in the format"


def test_what_is_no_student_file(tmp_path, files):
    assert "cannot read" in fault_of(tmp_path / "nowhere.pt")
    assert "cannot read" in fault_of(tmp_path)
    path = tmp_path / "student.bin"
    message = f"{path}: {ALLOWED} 'state' (.pt), 'pt2' (.pt2), 'onnx' (.onnx) or 'safetensors' (.safetensors)"
    path.write_text("hello")
    assert fault_of(path) == message
    path.write_bytes(b"")
    assert fault_of(path) == message
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "hello")
    assert fault_of(path) == message
    torch.save([1, 2], path)
    assert fault_of(path) == message
    torch.save(nn.Linear(1, 1), path)
    assert fault_of(path) == message
    torch.save({"format": 1, "facts": {}, "selector": {}}, path)
    assert f"checkpoint of a run, not a student file: cgl export {path}" in fault_of(path)


@pytest.mark.parametrize("form", FORMS)
def test_damaged_files(tmp_path, files, form):
    whole = files[form].read_bytes()
    path = tmp_path / "student"
    path.write_bytes(whole[: len(whole) // 2])
    assert "damaged" in fault_of(path)
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        largest = max(archive.infolist(), key=lambda member: member.file_size)
    spoiled = bytearray(whole)
    spoiled[largest.header_offset + largest.file_size // 2] ^= 0xFF
    path.write_bytes(spoiled)
    assert "damaged" in fault_of(path)


def test_a_file_of_a_later_version(tmp_path, files):
    path = tmp_path / "student.pt"
    path.write_bytes(files["state"].read_bytes())
    rewritten(path, format=2)
    assert "format 2, written by a later version; this one reads 1" in fault_of(path)


def test_a_program_of_a_later_version(tmp_path, files):
    path = tmp_path / "student.pt2"
    with zipfile.ZipFile(files["pt2"]) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, b"2" if name.endswith("/extra/format") else old.read(name))
    assert "format 2" in fault_of(path)


def test_a_card_that_is_not_right(tmp_path, files):
    path = tmp_path / "student.pt"
    path.write_bytes(files["state"].read_bytes())
    card = torch.load(path)["card"]
    rewritten(path, card=card.replace('"epoch":3', '"epoch":"three"'))
    assert "the card of the student is not right (epoch)" in fault_of(path)
    rewritten(path, card="{")
    assert "the card of the student is not right (JSON)" in fault_of(path)
    rewritten(path, card=7)
    assert ALLOWED in fault_of(path)


class Tilted(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(64, classes)

    def forward(self, inputs):
        return self.linear(inputs.flatten(1))


def tilted(spec, classes, *, steps: tuple[int, int] = (1, 2)) -> Backbone:
    assert isinstance(steps, tuple)
    return Backbone((lambda: Tilted(classes),), nn.Identity, stages=(1,))


def tilted_student(trained):
    network = nn.Sequential(Tilted(10), nn.Identity())
    chosen = Chosen(kind="tilted", options={"steps": [3, 4]})
    return Student(network, trained.normaliser), trained.card(0, backbone=chosen, plugins=("my.parts",))


@pytest.mark.parametrize("form", FORMS)
def test_a_backbone_of_a_plugin(trained, tmp_path, registry, form):
    student, card = tilted_student(trained)
    path = tmp_path / "student"
    write_student(path, student, card, form)
    if form == "state":
        assert "backbone 'tilted' is not registered; import its plugin 'my.parts' first" in fault_of(path)
        registry.register("tilted", modality="image")(tilted)
    read, again = read_student(path)
    assert again.backbone == card.backbone
    with torch.no_grad():
        torch.testing.assert_close(read(pixels(2, (1, 8, 8))), student(pixels(2, (1, 8, 8))))


def test_a_missing_backbone_without_a_plugin_or_of_several(trained, tmp_path):
    student, card = tilted_student(trained)
    write_student(tmp_path / "a", student, card.model_copy(update={"plugins": ()}))
    assert "backbone 'tilted' is not registered; its plugin is not known" in fault_of(tmp_path / "a")
    write_student(tmp_path / "b", student, card.model_copy(update={"plugins": ("mine", "yours")}))
    assert "import its plugin 'mine' or 'yours' first (--plugin)" in fault_of(tmp_path / "b")


def test_a_backbone_that_has_changed_since(trained, tmp_path, registry):
    path = tmp_path / "student.pt"
    write_student(path, trained.student(1), trained.card(1, backbone=Chosen(kind="resnet8", options={"width": 5})))
    assert "its weights do not fit backbone 'resnet8'" in fault_of(path)
    write_student(path, trained.student(1), trained.card(1, backbone=Chosen(kind="resnet8", options={"wide": True})))
    assert "'resnet8' does not take the options of the card (backbone.wide)" in fault_of(path)
    write_student(path, trained.student(1), trained.card(1, backbone=Chosen(kind="resnet8", options={"width": "4"})))
    assert "(backbone.width)" in fault_of(path)


class Restless(nn.Module):
    def forward(self, inputs):
        return inputs.flatten(1) if inputs.sum() > 0 else -inputs.flatten(1)


def test_a_backbone_that_is_no_program(trained, tmp_path):
    student = Student(nn.Sequential(Restless()), trained.normaliser)
    with pytest.raises(InputError, match=r"cannot turn backbone 'resnet8' into a program .*format 'state'"):
        write_student(tmp_path / "student.pt2", student, trained.card(0), "pt2")
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_leaves_the_old_one(trained, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="cannot write"):
        write_student(tmp_path / "file" / "student.pt", trained.student(0), trained.card(0))
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("late", [False, True])
def test_what_a_backbone_lacks_here_is_told(trained, tmp_path, registry, late):
    def fails():
        raise FileNotFoundError(2, "No such file or directory", "weights.pt")

    def lacking(spec, classes, *, steps: tuple[int, int] = (1, 2)) -> Backbone:
        return Backbone((fails if late else fails(),), nn.Identity, stages=(1,))

    student, card = tilted_student(trained)
    write_student(tmp_path / "student.pt", student, card)
    registry.register("tilted", modality="image")(lacking)
    fault = fault_of(tmp_path / "student.pt")
    assert "backbone 'tilted' cannot be built here ([Errno 2] No such file or directory: 'weights.pt')" in fault
    assert "cgl export writes in the format 'pt2'" in fault
