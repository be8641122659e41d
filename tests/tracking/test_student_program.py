"""A student in MLflow: pixels or raw strings in, labels and probabilities out, as files and never as a pickle."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import hypothesis.strategies as st
import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from mlflow.exceptions import MlflowException

from cgl_ignite.data import (
    ENCODINGS,
    CharacterTokenizer,
    Tokenizer,
    characters,
    dump_tokenizer,
    local_text,
    sentencepiece,
)
from cgl_ignite.data.text.cache.store import encoded
from cgl_ignite.data.text.corpus import Block, Corpus
from cgl_ignite.pipeline.find import all_runs
from cgl_ignite.pipeline.hand_over import student_model
from cgl_ignite.student import Student, answer_texts, read_student, write_student
from cgl_ignite.tracking import StudentModel
from cgl_ignite.tracking.student_program import parse_encode, pixels_of, texts_of
from tests.student.runs import finished_run
from tests.texts import BACKBONES, finished_text_run

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
TEXTS = ["the food was cold", "Again and AGAIN:\tbest place!", "", "é{ü}", "awful " * 40, "a"]


def test_the_stored_student_takes_pixels(tracker, info, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    result = finished_run(tmp_path / "mlruns", "run.epochs=1", "data.limit=200")
    model = student_model(next(all_runs(tmp_path / "mlruns" / "runs")), "digits", tmp_path)
    uri = tracker.model(tracker.open(info), model)
    assert "reads pixels from 0 to 255, uint8 N x 1 x 8 x 8, and" in model.description
    assert "logit" not in model.description
    student, card = read_student(Path(result.student))

    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracker.uri)
    loaded = mlflow.pyfunc.load_model(uri)
    pixels = np.random.default_rng(1).integers(0, 256, (5, 1, 8, 8), np.uint8)
    with torch.inference_mode():
        expected = student(torch.from_numpy(pixels).float() / 255).softmax(1)
    found = loaded.predict(pixels)
    np.testing.assert_allclose(np.array(found["probabilities"].tolist()), expected.numpy(), atol=1e-5)
    assert found["label"].tolist() == [card.classes[number] for number in expected.argmax(1).tolist()]
    assert loaded.metadata.signature.inputs.to_dict()[0]["tensor-spec"] == {"dtype": "uint8", "shape": (-1, 1, 8, 8)}
    assert loaded.input_example.shape == (2, 1, 8, 8)
    with pytest.raises(MlflowException, match="float32"):
        loaded.predict(pixels.astype(np.float32) / 255)
    requirements = Path(mlflow.artifacts.download_artifacts(uri), "requirements.txt").read_text()
    assert "cgl" not in requirements
    assert "sentencepiece" not in requirements


@pytest.mark.parametrize(
    "given", [np.zeros((2, 1, 8, 8), np.float32), np.zeros((1, 8, 8), np.uint8), np.zeros((2, 3, 8, 8), np.uint8), []]
)
def test_what_are_no_pixels_is_refused(given) -> None:
    with pytest.raises(MlflowException, match="pixels from 0 to 255 as uint8 of N x 1 x 8 x 8, not "):
        pixels_of(given, (1, 8, 8))


@pytest.mark.parametrize("backbone", BACKBONES)
def test_the_stored_student_takes_raw_strings(tracker, info, tmp_path, monkeypatch, backbone) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    student, card = read_student(Path(finished_text_run(tmp_path, backbone).student))
    assert isinstance(student, Student)
    program = tmp_path / "what?" / "student.pt2"
    write_student(program, student, card, "pt2")
    run_id = tracker.open(info)
    uri = tracker.model(run_id, StudentModel(program, np.array(TEXTS[:2], object), (2,), "reader", epoch=0))
    program.unlink()

    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracker.uri)
    loaded = mlflow.pyfunc.load_model(uri)
    found, expected = loaded.predict(TEXTS), answer_texts(student, TEXTS).softmax(1)
    np.testing.assert_allclose(np.array(found["probabilities"].tolist()), expected.numpy(), atol=1e-5)
    np.testing.assert_allclose(found["probability"], expected.amax(1).numpy(), atol=1e-5)
    assert found["label"].tolist() == [card.classes[number] for number in expected.argmax(1).tolist()]
    assert loaded.predict(TEXTS[0])["label"].tolist() == found["label"].tolist()[:1]
    table = pd.DataFrame({"id": ["7", "8", "9"], "text": TEXTS[:3], "stars": [1, 2, 3]})
    pd.testing.assert_frame_equal(loaded.predict(table), loaded.predict(TEXTS[:3]))
    with pytest.raises(MlflowException, match=r"row 1 \(the first is 0\) is missing"):
        loaded.predict([TEXTS[0], None])

    files = Path(mlflow.artifacts.download_artifacts(uri))
    assert not [path for path in files.rglob("*") if path.suffix in (".pkl", ".pickle")]
    requirements = (files / "requirements.txt").read_text()
    assert "torch==" in requirements
    assert "cgl" not in requirements
    lines = (files / "student_program.py").read_text().splitlines()
    assert not [line for line in lines if line.startswith(("import cgl", "from cgl"))]


class RuneTokenizer(CharacterTokenizer):
    """Characters from the end of a text."""

    kind = "runes"

    def encode(self, texts):
        return super().encode([text[::-1] for text in texts])


def test_an_encoding_of_a_plugin(tracker, info, tmp_path, monkeypatch) -> None:
    for name in ("_builders", "_facts"):
        monkeypatch.setattr(ENCODINGS, name, dict(getattr(ENCODINGS, name)))
    ENCODINGS.register("runes", modality="text", restore=RuneTokenizer.restore)(lambda: None)
    student, card = read_student(Path(finished_text_run(tmp_path).student))
    student.tokenizer = RuneTokenizer(64, "full")
    program = tmp_path / "student.pt2"
    write_student(program, student, card, "pt2")
    uri = tracker.model(tracker.open(info), StudentModel(program, np.array(TEXTS[:2], object), (2,), "reader"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracker.uri)
    found = mlflow.pyfunc.load_model(uri).predict(TEXTS)
    expected = answer_texts(student, TEXTS).softmax(1)
    np.testing.assert_allclose(np.array(found["probabilities"].tolist()), expected.numpy(), atol=1e-5)


SMALL = ["the food was cold", "again and again best place", "İstanbul é e\N{COMBINING ACUTE ACCENT} ﬁ Ａ 🙂"] * 30
ODD = ["", "\0", "İ", "\N{KELVIN SIGN}", "e\N{COMBINING ACUTE ACCENT}", "\t\n\v\f\r\x1c\x85\xa0", "<unk>", "<pad>"]
WRITTEN = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from([*ODD, "🙂 x", "▁", "  a  "])


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory) -> list[Tokenizer]:
    table = tmp_path_factory.mktemp("small") / "small.csv"
    table.write_text("".join(f"{number % 2},{text}\n" for number, text in enumerate(SMALL)), encoding="utf-8")
    source = local_text(table.parent, path=str(table))
    makers = [
        characters(length=9),
        characters(length=9, pad="batch"),
        sentencepiece(vocabulary=80, length=9),
        sentencepiece(vocabulary=80, length=9, pad="full"),
    ]
    return [maker.fit(source, torch.arange(60)).tokenizer for maker in makers]


@given(texts=st.lists(WRITTEN, min_size=1, max_size=5))
def test_training_the_student_and_its_stored_program_read_the_same_ids(tokenizers, tmp_path_factory, texts) -> None:
    folder = tmp_path_factory.mktemp("ids")

    def read() -> Iterator[Block]:
        for part in (texts[:1], texts[1:]):
            yield Block(pa.array(part, pa.string()), np.zeros(len(part), np.int64), 1.0)

    for number, tokenizer in enumerate(tokenizers):
        trained = encoded(Corpus("texts", str(number), folder, read), tokenizer, "settings").inputs.padded()
        answered = tokenizer.encode(texts)
        stored = parse_encode(dump_tokenizer(tokenizer))(texts)
        assert trained.dtype == answered.dtype == stored.dtype == torch.int64
        assert trained.tolist() == answered.tolist() == stored.tolist()


@pytest.mark.parametrize(
    "given",
    [
        ["x", "y"],
        np.array(["x", "y"], object),
        pd.Series(["x", "y"], index=[4, 4]),
        pd.DataFrame({"review": ["x", "y"]}),
        pd.DataFrame({"id": ["1", "2"], "text": ["x", "y"]}),
        pd.DataFrame({"id": [1, 2], "review": ["x", "y"]}),
        {"id": [1, 2], "review": ["x", "y"]},
        [{"id": "1", "text": "x"}, {"id": "2", "text": "y"}],
    ],
)
def test_the_texts_are_found_in_whatever_form_they_come(given):
    assert texts_of(given) == ["x", "y"]


def test_one_text_and_none_at_all():
    assert texts_of("x") == texts_of({"id": 3, "text": "x"}) == ["x"]
    assert texts_of([]) == texts_of(pd.DataFrame({"text": []})) == []


@pytest.mark.parametrize(("value", "fault"), [(None, "missing"), (float("nan"), "missing"), (5, "not a text but 5")])
@pytest.mark.parametrize("form", [list, pd.Series, lambda rows: pd.DataFrame({"id": [1, 2, 3], "text": rows})])
def test_what_is_not_a_text_is_an_error_that_names_its_row(value, fault, form):
    with pytest.raises(MlflowException, match=rf"row 2 \(the first is 0\) is {fault}"):
        texts_of(form(["x", "y", value]))


@pytest.mark.parametrize("columns", [{"title": ["x"], "body": ["y"]}, {"id": [1], "stars": [2]}])
def test_a_table_in_which_no_column_is_the_text_is_an_error_that_names_the_columns(columns):
    names = ", ".join(map(repr, columns))
    with pytest.raises(MlflowException, match=f"has {names}; name one of them 'text'"):
        texts_of(pd.DataFrame(columns))
