"""A run is found, its pool is rebuilt from the checkpoint alone, and its students leave it unchanged."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest
import torch

from cgl_ignite import export, runs
from cgl_ignite.backbones import BACKBONES
from cgl_ignite.config.presets import METHODS
from cgl_ignite.data import DATASETS, PadTokens
from cgl_ignite.engine.evaluate import pool_logits
from cgl_ignite.errors import InputError, RunFailed
from cgl_ignite.export import export_student
from cgl_ignite.pipeline import RunResult
from cgl_ignite.plugins import import_plugins
from cgl_ignite.runs import RunFiles, load_student, open_run, rebuild_pool, take_student
from cgl_ignite.student import logits, measure, read_student, read_test_part
from cgl_ignite.student.file import usage_of
from cgl_ignite.student.readme import readme
from tests.student.runs import finished_run

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch", "ignore::FutureWarning:torch")


def same(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    pairs = zip(first.state_dict().items(), second.state_dict().items(), strict=True)
    return all(one[0] == other[0] and torch.equal(one[1], other[1]) for one, other in pairs)


def test_a_run_is_found_in_many_ways(result: RunResult, folder: Path, tmp_path: Path) -> None:
    home = folder / "runs" / result.run_id
    moved = tmp_path / "somewhere.pt"
    shutil.copy(result.checkpoint, moved)
    for which in (result.run_id, result.run_id[:5], "latest", str(home), result.checkpoint, str(moved)):
        assert open_run(which, folder).facts["run_id"] == result.run_id
    with pytest.raises(InputError, match="no run 'other'"):
        open_run("other", folder)
    with pytest.raises(InputError, match="there are no runs in"):
        open_run("latest", tmp_path)
    (home / "checkpoint.pt").rename(home / "gone")
    try:
        with pytest.raises(InputError, match=r"checkpoint\.pt: no such checkpoint"):
            open_run("latest", folder)
    finally:
        (home / "gone").rename(home / "checkpoint.pt")


def test_the_rebuilt_pool_scores_as_the_run_did(result: RunResult, folder: Path) -> None:
    run = open_run("latest", folder)
    test = read_test_part("digits", run.card(0), limit=400)
    together = pool_logits(rebuild_pool(run), run.normaliser(test.inputs))
    accuracies = 100 * (together.argmax(-1) == test.targets).double().mean(1)
    assert accuracies[result.selected_student].item() == pytest.approx(result.test_accuracy, abs=1e-4)
    assert accuracies.mean().item() == pytest.approx(result.mean_test_accuracy, abs=1e-4)


def test_the_normaliser_of_a_run_is_that_of_its_facts(tmp_path: Path) -> None:
    facts = {"modality": "image", "mean": [0.5], "std": [0.25]}
    run = RunFiles(tmp_path, {"facts": facts}, {})
    pixels = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1)
    assert run.normaliser(pixels).flatten().tolist() == [-2.0, 2.0]
    assert isinstance(RunFiles(tmp_path, {"facts": {"modality": "text"}}, {}).normaliser, PadTokens)


def test_every_student_leaves_as_it_was_in_the_pool(result: RunResult, folder: Path) -> None:
    run = open_run("latest", folder)
    inputs = DATASETS.get("digits")(folder).test().inputs[:30]
    together = pool_logits(rebuild_pool(run), run.normaliser(inputs))
    for index, expected in enumerate(together):
        student, card = take_student(run, index)
        torch.testing.assert_close(logits(student, inputs), expected, rtol=0, atol=1e-4)
        assert (card.student, card.epoch) == (index, result.selected_epoch)


def test_cards_carry_what_was_measured(result: RunResult, folder: Path, tmp_path: Path) -> None:
    run = open_run("latest", folder)
    cards = [run.card(index) for index in range(3)]
    chosen = cards[result.selected_student]
    assert (chosen.holdout_accuracy, chosen.test_accuracy) == (result.holdout_accuracy, result.test_accuracy)
    assert sum(card.test_accuracy or 0 for card in cards) / 3 == pytest.approx(result.mean_test_accuracy)
    assert all(card.holdout_accuracy is not None for card in cards)
    assert chosen.method == "cgl"
    moved = shutil.copy(result.checkpoint, tmp_path)
    alone = [open_run(str(moved), folder).card(index) for index in range(3)]
    assert {card.test_accuracy for card in alone} == {None}
    assert [card.holdout_accuracy for card in alone].count(None) == 2
    assert alone[result.selected_student].holdout_accuracy == result.holdout_accuracy


def test_the_selected_student_is_the_one_the_run_handed_over(result: RunResult, folder: Path, workdir: Path) -> None:
    path = export_student(open_run("latest", folder)).path
    assert path == Path("student.pt")
    (student, card), (handed, its_card) = read_student(path), read_student(Path(result.student))
    assert card == its_card
    assert same(student, handed)
    assert Path("student.pt.md").read_text() == readme(card, usage_of("state", "student.pt", card))
    assert sorted(path.name for path in workdir.iterdir()) == ["student.pt", "student.pt.md"]
    measured = measure(student, read_test_part("digits", card, limit=400))
    assert measured.accuracy == pytest.approx(result.test_accuracy, abs=1e-4)


def test_any_student_in_any_format_to_any_place(result: RunResult, folder: Path, tmp_path: Path) -> None:
    run = open_run("latest", folder)
    other = (result.selected_student + 1) % 3
    exported = export_student(run, other, "pt2", tmp_path)
    program = exported.path
    assert exported.difference is not None and exported.difference.largest < 1e-5 < exported.difference.logit
    assert program == tmp_path / "student.pt2"
    state = export_student(run, other, "state", tmp_path / "deep" / "other.pt").path
    (one, card), (two, again) = read_student(program), read_student(state)
    assert card == again
    assert card.student == other
    inputs = DATASETS.get("digits")(folder).test().inputs[:7]
    torch.testing.assert_close(logits(one, inputs), logits(two, inputs), rtol=0, atol=1e-6)


def test_students_that_cannot_be_had(result: RunResult, folder: Path, tmp_path: Path) -> None:
    run = open_run("latest", folder)
    for index in (3, -1):
        with pytest.raises(InputError, match=f"there is no student {index}, only 0 to 2"):
            export_student(run, index, target=tmp_path / "student.pt")
    with pytest.raises(InputError, match="is the checkpoint that the student is taken from"):
        export_student(run, target=Path(result.checkpoint))
    checkpoint = torch.load(result.checkpoint)
    checkpoint["selector"] |= {"selected": None, "weights": {}}
    torch.save(checkpoint, tmp_path / "early.pt")
    with pytest.raises(InputError, match=r"early\.pt: no student is selected yet"):
        export_student(open_run(str(tmp_path / "early.pt"), folder), 1)


def test_a_student_is_loaded_from_a_file_a_run_or_a_checkpoint(result: RunResult, folder: Path, tmp_path: Path) -> None:
    expected, card = read_student(Path(result.student))
    moved = shutil.copy(result.checkpoint, tmp_path / "moved.pt")
    for which in (result.student, "latest", result.run_id, str(folder / "runs" / result.run_id), str(moved)):
        student, found = load_student(which, folder)
        assert same(student, expected)
        assert found.run_id == card.run_id
    with pytest.raises(InputError, match=r"there is no file nowhere\.pt"):
        load_student("nowhere.pt", folder)
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(InputError, match=r"notes\.txt: not a student file"):
        load_student(str(tmp_path / "notes.txt"), folder)


def test_memory_that_is_short_is_told_from_a_backbone_that_cannot_be_built(
    result: RunResult, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise MemoryError("Unable to allocate output buffer.")

    monkeypatch.setattr(runs, "ModularNetwork", failing)
    with pytest.raises(RunFailed, match=r"its backbone cannot be built here: out of memory; free some, and try again"):
        rebuild_pool(open_run(result.run_id, folder))


@pytest.mark.parametrize("method", METHODS)
def test_students_of_every_method(tmp_path: Path, method: str) -> None:
    students = 1 if method == "baseline" else 2
    changes = [f"method.preset={method}", f"method.students={students}", "run.epochs=1", "data.limit=200"]
    result = finished_run(tmp_path, *changes)
    student, card = load_student(result.checkpoint, tmp_path)
    assert card.method == method
    assert same(student, read_student(Path(result.student))[0])


PLUGIN = """
from torch import nn
from cgl_ignite.backbones import BACKBONES, Backbone

@BACKBONES.register("flat_{name}", modality="image")
def flat(spec, classes, *, width: int = 8):
    stem = lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.BatchNorm1d(width), nn.Tanh())
    body = lambda: nn.Sequential(nn.Linear(width, width), nn.Dropout(0.1), nn.Tanh())
    return Backbone((stem, body, body), lambda: nn.Linear(width, classes), stages=(1, 2))
"""


def test_a_backbone_of_a_plugin(tmp_path: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BACKBONES, "_builders", dict(BACKBONES._builders))
    monkeypatch.setattr(BACKBONES, "_facts", dict(BACKBONES._facts))
    monkeypatch.setattr(sys, "path", list(sys.path))
    (workdir / "export_parts.py").write_text(PLUGIN.replace("{name}", "export"))
    changes = ["plugins=['export_parts']", "backbone={kind='flat_export', width=6}", "run.epochs=1"]
    result = finished_run(tmp_path / "runs_of_plugins", *changes, "data.limit=200")
    expected, _ = read_student(Path(result.student))

    monkeypatch.setattr(BACKBONES, "_builders", {k: v for k, v in BACKBONES._builders.items() if "flat" not in k})
    monkeypatch.delitem(sys.modules, "export_parts")
    with pytest.raises(InputError, match="'flat_export' is not registered; import its plugin 'export_parts' first"):
        read_student(Path(result.student))
    import_plugins(["export_parts"])
    assert same(read_student(Path(result.student))[0], expected)

    monkeypatch.setattr(BACKBONES, "_builders", {k: v for k, v in BACKBONES._builders.items() if "flat" not in k})
    monkeypatch.delitem(sys.modules, "export_parts")
    with pytest.raises(InputError, match="add --plugin export_parts"):
        load_student(result.checkpoint, tmp_path)
    student, card = load_student(result.checkpoint, tmp_path / "runs_of_plugins")
    assert same(student, expected)
    assert card.plugins == ("export_parts",)


def test_plugins_that_cannot_be_imported(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    Path("broken_export.py").write_text("1 / 0\n")
    with pytest.raises(InputError, match=r"cannot import 'broken_export'.*ZeroDivisionError"):
        import_plugins(["broken_export"])
    with pytest.raises(InputError, match="cannot import 'no_such_parts'"):
        import_plugins(["no_such_parts"])


def test_an_unknown_format_is_named(result: RunResult, folder: Path, tmp_path: Path) -> None:
    known = "(known: 'state', 'pt2', 'onnx' or 'safetensors')"
    with pytest.raises(InputError, match=re.escape(f"unknown format 'pt'; did you mean 'pt2'? {known}")):
        export_student(open_run(result.run_id, folder), form="pt", target=tmp_path)


class Off(torch.nn.Module):
    def __init__(self, student: torch.nn.Module) -> None:
        super().__init__()
        self.student = student

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.student(inputs) * 1.01


def test_a_program_that_answers_otherwise_is_not_written(
    result: RunResult, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "read_student", lambda path: (Off(read_student(path)[0]), None))
    with pytest.raises(InputError, match=r"answers otherwise than the student: logits .* more than 0\.001"):
        export_student(open_run("latest", folder), form="pt2", target=tmp_path)
    assert not list(tmp_path.iterdir())
