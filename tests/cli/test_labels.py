"""From a file of texts with lists of labels to a file of predictions, and everything on the way."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.cli.main import cgl
from cgl_ignite.errors import CglError
from cgl_ignite.pipeline import RunResult, run
from cgl_ignite.pipeline.data import read_data
from cgl_ignite.student import answer_texts, read_student
from cgl_ignite.tracking.memory import MemoryTracker
from tests.labels import label_pipeline, messages

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "data.md").read_text("utf-8")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("labels")


@pytest.fixture(scope="module")
def trained(place: Path) -> RunResult:
    more = ["method.students=2", f"tracking.folder={place / 'runs'}", "run.epochs=3"]
    (result,) = run(load_pipeline(label_pipeline(place), more), tracker=MemoryTracker())
    return result


def call(*arguments: object) -> Result:
    done = CliRunner().invoke(cgl, [*map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done


def expected_labels(student: Path, texts: list[str], threshold: float) -> list[dict[str, float]]:
    network, card = read_student(student)
    shares = answer_texts(network, texts).sigmoid().tolist()
    named = [dict(zip(card.classes, row, strict=True)) for row in shares]
    return [{name: p for name, p in sorted(row.items(), key=lambda one: -one[1]) if p > threshold} for row in named]


def test_predictions_of_a_table(trained: RunResult, place: Path, tmp_path: Path) -> None:
    texts = [one["text"] for one in messages(20)]
    table = tmp_path / "new.jsonl"
    table.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    call("predict", trained.student, table, "--column", "text", "-o", tmp_path / "predictions.csv", "--threshold", 0.4)
    rows = list(csv.DictReader((tmp_path / "predictions.csv").read_text().splitlines()))
    expected = expected_labels(Path(trained.student), texts, 0.4)
    assert [row["labels"] for row in rows] == [";".join(labels) for labels in expected]
    assert len({row["labels"] for row in rows}) > 1
    call("predict", trained.student, table, "--column", "text", "-o", tmp_path / "p.jsonl", "--probabilities")
    for line, labels in zip(
        (tmp_path / "p.jsonl").read_text().splitlines(), expected_labels(Path(trained.student), texts, 0.5), strict=True
    ):
        found = json.loads(line)
        assert [one["label"] for one in found["labels"]] == list(labels)
        assert set(found["probabilities"]) == {"late", "price", "rude"}


def test_predictions_on_the_screen(trained: RunResult) -> None:
    found = json.loads(call("predict", trained.student, "angry staff shouted", "--json", "--threshold", 0).stdout)
    (entry,) = found["predictions"]
    assert {one["label"] for one in entry["labels"]} == {"late", "price", "rude"}
    assert call("predict", trained.student, "angry staff", "--threshold", 1).stdout == "angry staff\n"


def test_evaluation_with_a_report(trained: RunResult, place: Path, tmp_path: Path) -> None:
    arguments = ["evaluate", trained.student, place / "messages.jsonl", "--json"]
    found = json.loads(call(*arguments, "--report", tmp_path / "report").stdout)
    assert found["accuracy"] == pytest.approx(trained.test_accuracy, abs=1e-4)
    for name in ("micro_f1", "macro_f1", "mean_average_precision", "hamming_loss"):
        assert found["metrics"][name] == pytest.approx(trained.metrics[name], abs=1e-4)  # type: ignore[index]
    page = (tmp_path / "report" / "report.md").read_text()
    assert "| late |" in page and "average precision" in page
    kept = json.loads((tmp_path / "report" / "report.json").read_text())
    assert kept["per_class"].keys() == {"late", "price", "rude"}
    for one in kept["mistakes"]:
        assert (one["probability"] > 50) is not one["right"]


def test_the_ensemble_is_the_mean_of_the_sigmoids(trained: RunResult, place: Path) -> None:
    found = json.loads(call("evaluate", trained.run_id, "--ensemble", "--folder", place / "runs", "--json").stdout)
    assert found["mean"]["accuracy"] == pytest.approx(trained.mean_test_accuracy, abs=1e-4)
    assert found["selected"]["accuracy"] == pytest.approx(trained.test_accuracy, abs=1e-4)


def test_the_card_says_the_task(trained: RunResult) -> None:
    _, card = read_student(Path(trained.student))
    assert card.task == "multi_label"
    assert "sigmoid makes them probabilities" in card.markdown()
    assert card.metrics["micro_f1"] == trained.metrics["micro_f1"]  # type: ignore[index]


@pytest.mark.parametrize("form", ["safetensors", "onnx"])
def test_exports_tell_how_their_answers_are_read(
    trained: RunResult, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip({"onnx": "onnxruntime"}.get(form, form))
    monkeypatch.chdir(tmp_path)
    call("export", trained.student, "--format", form, "--output", tmp_path / f"student.{form}")
    student, card = read_student(tmp_path / f"student.{form}")
    assert card.task == "multi_label"
    page = next(tmp_path.glob("*.md")).read_text()
    assert "sigmoid makes them probabilities" in page
    if form == "onnx":
        lines = re.search(r"```python\n(.*?)```", page, re.DOTALL)
        assert lines is not None
        exec(compile(lines[1].replace("The food was cold.", "angry staff shouted 5"), "README", "exec"), {})
        shares = answer_texts(student, ["angry staff shouted 5"]).sigmoid()[0]
        named = [name for name, share in zip(card.classes, shares.tolist(), strict=True) if share > 0.5]
        assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == named


def fault(place: Path, *changes: str) -> str:
    with pytest.raises(CglError) as raised:
        read_data(load_pipeline(label_pipeline(place), changes))
    return str(raised.value)


def test_what_does_not_fit_is_refused_before_the_training(place: Path) -> None:
    assert "is for rows with one class" in fault(place, 'data.balance="loss"')
    assert "'cohen_kappa' is not defined for the task 'multi_label'" in fault(place, 'run.metrics=["cohen_kappa"]')
    assert "'micro_f1' is not defined for the task 'single_label'" in fault(
        place, 'data.task="single_label"', 'run.metrics=["micro_f1"]'
    )
    assert "one value per row is expected" in fault(place, 'data.task="single_label"', "run.metrics=[]")


def test_analyses_refuse_it(trained: RunResult, place: Path) -> None:
    done = CliRunner().invoke(cgl, ["analyse", trained.run_id, "--calibration", "--folder", str(place / "runs")])
    assert done.exit_code == 2
    assert "analyses are of rows with one class" in done.output


def test_the_example_of_the_page_runs(workdir: Path) -> None:
    section = PAGE.split("## Several labels per row")[1]
    blocks: dict[str, Any] = {
        language: re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)[1]
        for language in ("json", "toml")  # type: ignore[index]
    }
    (workdir / "messages.jsonl").write_text(blocks["json"] * 5)
    (workdir / "messages.toml").write_text(blocks["toml"])
    small = ["backbone.width=2", "backbone.embedding=4", "run.device=cpu", "data.encoding.length=64"]
    (result,) = run(load_pipeline(workdir / "messages.toml", small), tracker=MemoryTracker())
    assert 0 <= result.metrics["mean_average_precision"] <= 100  # type: ignore[index]


def test_mixed_images_share_their_labels() -> None:
    from cgl_ignite.data import AUGMENTATIONS, InputSpec
    from cgl_ignite.data.augment import Samples
    from cgl_ignite.seeding import stream

    labels = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    images = torch.stack([torch.ones(1, 4, 4), torch.zeros(1, 4, 4)])
    samples = Samples(images, labels, 3, (2,), torch.arange(2), 0)
    mixed = AUGMENTATIONS.get("mixup")(InputSpec("image", (1, 4, 4)), alpha=1.0)(samples, stream(4, "mixing"))
    share = mixed.inputs[:, 0, 0, 0]
    torch.testing.assert_close(mixed.targets, share.unsqueeze(1) * labels[0])
