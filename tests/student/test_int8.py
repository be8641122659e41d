"""A student in int8: its weights and ranges are known by hand, what its card says is measured anew."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cgl_ignite import export
from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.data import DATASETS, Examples, Splits, prepare
from cgl_ignite.errors import InputError
from cgl_ignite.export import Exported, Int8, export_student
from cgl_ignite.pipeline import run
from cgl_ignite.runs import RunFiles, open_run, take_student
from cgl_ignite.student import answer_texts, read_student
from cgl_ignite.student.quantisation import Quantisation
from cgl_ignite.tracking.memory import MemoryTracker
from tests.student.runs import finished_run
from tests.texts import text_pipeline, without_models

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch", "ignore::FutureWarning:torch")

TRAIN, HOLDOUT, SEED = 200, 100, 1
Made = tuple[RunFiles, Exported, Exported]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> RunFiles:
    """A run on so few digits that all training rows calibrate."""
    folder = tmp_path_factory.mktemp("tracking")
    finished_run(folder, f"data.limit={TRAIN + HOLDOUT}", f"data.holdout={HOLDOUT}", "run.epochs=4")
    return open_run("latest", folder)


@pytest.fixture(scope="module")
def made(opened: RunFiles, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The selected student as a program in float32 and in int8."""
    folder = tmp_path_factory.mktemp("programs")
    exact = export_student(opened, form="onnx", target=folder / "float32.onnx")
    return opened, exact, export_student(opened, form="onnx", target=folder / "int8.onnx", int8=Int8(most_drop=100))


def measured(exported: Exported) -> Quantisation:
    assert exported.card.quantised is not None
    return exported.card.quantised


def splits() -> Splits:
    source = DATASETS.get("digits")(Path())
    return prepare(source, holdout=HOLDOUT, limit=TRAIN + HOLDOUT, seed=SEED)


def weights_of(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    return {each.name: onnx.numpy_helper.to_array(each) for each in onnx.load(path).graph.initializer}


def answers(path: Path, part: Examples) -> np.ndarray[Any, Any]:
    session = onnxruntime.InferenceSession(path)
    assert isinstance(part.inputs, torch.Tensor)
    pixels = part.inputs.numpy().astype(np.float32) / 255
    return np.asarray(session.run(None, {"inputs": pixels})[0])


def test_the_card_says_what_both_programs_answer_on_the_holdout(made: Made) -> None:
    _, exact, quantised = made
    told, holdout = measured(quantised), splits().holdout
    before, after = answers(exact.path, holdout), answers(quantised.path, holdout)
    right = [100 * float((each.argmax(1) == holdout.targets.numpy()).mean()) for each in (before, after)]
    assert [told.float_accuracy, told.accuracy] == pytest.approx(right)
    assert told.float_accuracy == pytest.approx(quantised.card.holdout_accuracy)
    assert told.difference == pytest.approx(np.abs(before - after).max(), rel=1e-4)
    assert told.logit == pytest.approx(np.abs(before).max(), rel=1e-4)
    assert (told.calibration_rows, told.holdout_rows) == (TRAIN, HOLDOUT)
    assert (told.float_size, told.size) == (exact.path.stat().st_size, quantised.path.stat().st_size)
    assert 0 < told.difference < 0.1 * told.logit
    assert abs(told.drop) <= 2


def test_weights_are_rounded_to_seven_bits_of_each_channel(made: Made) -> None:
    exact, found = weights_of(made[1].path), weights_of(made[2].path)
    rounded = {name for name in found if name.endswith("weight_quantized")}
    assert len(rounded) == 10  # nine convolutions and the classifier
    for name in rounded:
        weight, integers = exact[name.removesuffix("_quantized")], found[name].astype(np.float32)
        assert found[name].dtype == np.int8 and np.abs(integers).max() == 64
        rows = np.abs(weight).reshape(len(weight), -1)
        step = (rows.max(1) / 64).reshape(-1, *(1,) * (weight.ndim - 1))
        assert np.all(np.abs(integers * step - weight) <= 0.501 * step)


def test_activations_have_the_range_of_the_training_rows(made: Made) -> None:
    """The first convolution reads normalised pixels; its 256 levels span those of all training rows, and zero."""
    opened, _, quantised = made
    pixels = opened.normaliser(splits().train.inputs)
    graph = onnx.load(quantised.path).graph
    first = next(node for node in graph.node if node.op_type == "Conv")
    reads = next(node for node in graph.node if first.input[0] in node.output)
    assert reads.op_type == "DequantizeLinear"
    step = weights_of(quantised.path)[reads.input[1]].item()
    assert step == pytest.approx((max(0, pixels.max().item()) - min(0, pixels.min().item())) / 255, rel=1e-5)


def test_the_file_is_read_like_any_other_and_its_readme_tells_both(made: Made) -> None:
    _, _, quantised = made
    student, card = read_student(quantised.path)
    assert card == quantised.card
    holdout = splits().holdout
    assert isinstance(holdout.inputs, torch.Tensor)
    for rows in (1, 3):
        found = student(holdout.inputs[:rows].float() / 255).numpy()
        np.testing.assert_allclose(found, answers(quantised.path, holdout)[:rows], rtol=1e-4, atol=1e-4)
    told, text = measured(quantised), Path(f"{quantised.path}.md").read_text()
    accuracies = f"{told.accuracy:.2f} % (in float32 {told.float_accuracy:.2f} %) of {HOLDOUT} rows"
    assert f"| holdout accuracy in int8 | {accuracies} |" in text
    assert f"| size in int8 | {told.size:,} bytes (in float32 {told.float_size:,}) |" in text
    assert "| test accuracy in float32 | " in text and "| test accuracy | " not in text


def test_the_same_student_gives_the_same_file(made: Made, tmp_path: Path) -> None:
    again = export_student(made[0], form="onnx", target=tmp_path / "int8.onnx", int8=Int8(most_drop=100))
    assert again.path.read_bytes() == made[2].path.read_bytes()


@pytest.mark.parametrize("most", [-200.0, float("nan")])
def test_a_loss_above_the_bound_is_not_written(opened: RunFiles, tmp_path: Path, most: float) -> None:
    message = rf"int8 costs .* points of accuracy on the holdout \(.* % -> .* %\), more than {most:g}"
    with pytest.raises(InputError, match=message):
        export_student(opened, form="onnx", target=tmp_path, int8=Int8(most_drop=most))
    assert not list(tmp_path.iterdir())


def test_what_is_missing_is_told_before_data_are_read(
    opened: RunFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "read_data", None)
    for form in ("state", "pt2", "safetensors"):
        with pytest.raises(InputError, match=f"format '{form}' has no int8; it is for 'onnx'"):
            export_student(opened, form=form, target=tmp_path, int8=Int8())
    with pytest.raises(InputError, match=r"its name is one of format 'pt2'"):
        export_student(opened, form="onnx", target=tmp_path / "student.pt2", int8=Int8())
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=r"pip install 'cgl_ignite\[onnx\]'"):
        export_student(opened, form="onnx", target=tmp_path, int8=Int8())
    assert not list(tmp_path.iterdir())


def test_other_data_than_those_of_the_run_are_refused(opened: RunFiles, tmp_path: Path) -> None:
    facts = {**opened.facts, "data": dict.fromkeys(opened.facts["data"], "other")}
    other = RunFiles(opened.path, {**opened.checkpoint, "facts": facts}, opened.scores)
    with pytest.raises(InputError, match=r"the data have changed since run .* began"):
        export_student(other, form="onnx", target=tmp_path, int8=Int8())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("backbone", ["vdcnn9", pytest.param("transformer", marks=pytest.mark.slow)])
def test_students_of_texts(workdir: Path, monkeypatch: pytest.MonkeyPatch, backbone: str) -> None:
    """The reviews lie at a place relative to the folder that the run was started in, and it is exported elsewhere."""
    tree = text_pipeline(workdir, backbone)
    tree["data"] |= {"root": ".", "path": "reviews"}
    tree["run"]["epochs"] = 4
    without_models(monkeypatch)
    (result,) = run(load_pipeline(tree), tracker=MemoryTracker())
    (workdir / "elsewhere").mkdir()
    monkeypatch.chdir(workdir / "elsewhere")
    opened = open_run(result.checkpoint, workdir / "tracking")
    quantised = export_student(opened, form="onnx", int8=Int8(most_drop=5))
    told = measured(quantised)
    assert told.float_accuracy == pytest.approx(quantised.card.holdout_accuracy) and told.drop <= 5
    student, program = take_student(opened)[0], read_student(quantised.path)[0]
    for texts in (["the food was awful"], ["great", "the worst people with cold food", "again " * 40]):
        found, expected = answer_texts(program, texts), answer_texts(student, texts)
        assert float((found - expected).abs().max()) < 0.2 * max(told.logit, float(expected.abs().max()))


@pytest.mark.slow
def test_a_resnet18_in_int8_is_less_than_a_third(tmp_path: Path) -> None:
    finished_run(tmp_path / "runs", "backbone.kind=resnet18", "backbone.width=16", "run.epochs=8", "data.limit=800")
    exported = export_student(open_run("latest", tmp_path / "runs"), form="onnx", target=tmp_path, int8=Int8())
    told = measured(exported)
    assert exported.path.stat().st_size < told.float_size / 3
    assert told.float_accuracy > 60 and told.drop <= 1
