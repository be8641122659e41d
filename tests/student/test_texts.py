"""Students of texts: what they are given, what they take with them, and that they answer as in the pool."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
import torch

from cgl_ignite.data import CharacterTokenizer, Ragged, SubwordTokenizer, dump_tokenizer, parse_tokenizer
from cgl_ignite.engine.evaluate import pool_logits
from cgl_ignite.errors import InputError
from cgl_ignite.export import export_student
from cgl_ignite.pipeline import RunResult
from cgl_ignite.runs import open_run, rebuild_pool, take_student
from cgl_ignite.student import (
    Chosen,
    answer_texts,
    example_inputs,
    logits,
    measure,
    read_student,
    read_test_part,
    read_texts,
    tokenizer_of,
)
from tests.texts import BACKBONES, finished_text_run

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch", "ignore::FutureWarning:torch")
TEXTS = ["the food was cold", "Again and again: BEST place!", "", "é\tü", "awful " * 40, "a"]


@pytest.fixture(scope="module", params=BACKBONES)
def reviewed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunResult, Path]:
    """A run on reviews, and its folder."""
    folder = tmp_path_factory.mktemp(request.param)
    return finished_text_run(folder, request.param), folder


def test_texts_are_those_given_and_the_lines_of_files(tmp_path: Path) -> None:
    path = tmp_path / "some.txt"
    path.write_bytes("\ufeffone\r\n\ntwo \u2028 halves\n".encode())
    assert read_texts(["What is in my readme.txt", str(path), ""]) == [
        "What is in my readme.txt", "one", "", "two \u2028 halves", ""
    ]  # fmt: skip


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"first\nsecond")))
    assert read_texts(["-"]) == ["first", "second"]


def test_what_cannot_be_read_as_texts_keeps_its_place(tmp_path: Path) -> None:
    latin, table, empty = (tmp_path / name for name in ("latin.txt", "table.csv", "empty.txt"))
    latin.write_bytes("fine\ncaf\xe9".encode("latin-1"))
    table.write_text("1,good")
    empty.touch()
    first, second, third, fourth, fifth = read_texts(["gone.txt", str(latin), str(table), str(empty), "ok", "\udcff"])
    assert str(first) == "gone.txt cannot be read: No such file or directory"
    assert str(second) == f"{latin} is not UTF-8 text in line 2 (byte 8)"
    assert str(third).startswith(f"{table} is no text but a file or folder")
    assert fourth == "ok"
    assert str(fifth) == r"'\udcff' is not UTF-8 text"
    with pytest.raises(InputError, match="there is no line to read"):
        read_texts([str(empty)])


@pytest.mark.parametrize("form", ["state", "pt2"])
def test_a_student_takes_its_tokenizer_along_and_answers_as_in_the_pool(
    reviewed: tuple[RunResult, Path], form: str, tmp_path: Path
) -> None:
    result, folder = reviewed
    opened = open_run(result.run_id, folder / "tracking")
    for index in (0, 3):
        read, card = read_student(export_student(opened, index, form, tmp_path / f"{index}").path)  # type: ignore[arg-type]
        tokenizer = tokenizer_of(read)
        assert tokenizer is not None
        assert (card.spec, card.vocabulary) == (tokenizer.spec, tokenizer.spec.vocabulary)
        expected = pool_logits(rebuild_pool(opened), tokenizer.encode(TEXTS))[index]
        torch.testing.assert_close(answer_texts(read, TEXTS), expected, rtol=1e-4, atol=1e-5)
        alone = torch.cat([answer_texts(read, [text]) for text in TEXTS])
        torch.testing.assert_close(alone, expected, rtol=1e-4, atol=1e-5)
        with torch.no_grad():
            assert read(torch.from_numpy(example_inputs(card))).shape == (2, 2)


def test_the_file_of_a_run_is_what_its_checkpoint_gives(reviewed: tuple[RunResult, Path]) -> None:
    result, folder = reviewed
    read, card = read_student(Path(result.student))
    taken, again = take_student(open_run("latest", folder / "tracking"))
    assert again == card
    assert torch.equal(answer_texts(read, TEXTS), answer_texts(taken, TEXTS))
    content = torch.load(result.student, weights_only=True)
    assert content.keys() == {"format", "card", "state_dict", "encoder"}
    assert not {"mean", "std"} & content["state_dict"].keys()


def test_the_test_part_is_the_one_of_the_run(reviewed: tuple[RunResult, Path]) -> None:
    result, folder = reviewed
    student, card = read_student(Path(result.student))
    tokenizer = tokenizer_of(student)
    examples = read_test_part("local_text", card, folder, tokenizer=tokenizer)
    assert isinstance(examples.inputs, Ragged)
    assert (len(examples), examples.targets.sum()) == (30, 15)
    assert measure(student, examples).accuracy == pytest.approx(result.test_accuracy)
    one_by_one = torch.cat([logits(student, examples.take(torch.tensor([row])).inputs) for row in range(30)])
    torch.testing.assert_close(logits(student, examples.inputs), one_by_one, rtol=1e-4, atol=1e-5)
    table = folder / "reviews"
    assert torch.equal(read_test_part(str(table), card, folder, tokenizer=tokenizer).targets, examples.targets)
    assert len(read_test_part("local_text", card, folder, 12, tokenizer)) == 12


def test_a_table_that_the_student_was_not_trained_on_is_taken_whole(
    reviewed: tuple[RunResult, Path], tmp_path: Path
) -> None:
    result, folder = reviewed
    student, card = read_student(Path(result.student))
    table = tmp_path / "new.tsv"
    table.write_text((folder / "reviews" / "test.tsv").read_text())
    examples = read_test_part(str(table), card, tmp_path, tokenizer=tokenizer_of(student))
    assert len(examples) == 30
    assert measure(student, examples).accuracy == pytest.approx(result.test_accuracy)


@pytest.mark.parametrize("first", [0, 1])
def test_classes_by_their_number(reviewed: tuple[RunResult, Path], tmp_path: Path, first: int) -> None:
    """A table may number the classes from 1, as the published ones do, or from 0."""
    result, folder = reviewed
    student, card = read_student(Path(result.student))
    for part in ("train", "test"):
        text = (folder / "reviews" / f"{part}.tsv").read_text()
        (tmp_path / f"{part}.tsv").write_text(text.replace("bad\t", f"{first}\t").replace("good\t", f"{first + 1}\t"))
    card = card.model_copy(update={"dataset": Chosen(kind="yelp_review_full")})
    examples = read_test_part(str(tmp_path), card, tmp_path, tokenizer=tokenizer_of(student))
    assert measure(student, examples).accuracy == pytest.approx(result.test_accuracy)


def test_a_table_with_one_of_the_classes_alone(reviewed: tuple[RunResult, Path], tmp_path: Path) -> None:
    student, card = read_student(Path(reviewed[0].student))
    table = tmp_path / "new.tsv"
    table.write_text("label\ttext\ngood\tgreat food\ngood\tnever again\n")
    examples = read_test_part(str(table), card, tmp_path, tokenizer=tokenizer_of(student))
    assert examples.targets.tolist() == [1, 1]


def test_data_of_another_modality(reviewed: tuple[RunResult, Path], trained) -> None:
    student, card = read_student(Path(reviewed[0].student))
    with pytest.raises(InputError, match="digits holds image, but the student reads text"):
        read_test_part("digits", card, tokenizer=tokenizer_of(student))
    with pytest.raises(InputError, match="local_text holds text, but the student reads image"):
        read_test_part("local_text", trained.card(0))
    with pytest.raises(InputError, match="'yelp' is neither a table of texts nor a data set"):
        read_test_part("yelp", card, tokenizer=tokenizer_of(student))
    with pytest.raises(InputError, match="it reads no texts"):
        answer_texts(trained.student(0), ["hello"])


def test_the_card_tells_what_is_read(reviewed: tuple[RunResult, Path]) -> None:
    _, card = read_student(Path(reviewed[0].student))
    text = card.markdown()
    assert card.encoding is not None
    assert f"Reads raw text, of which its tokenizer, {card.encoding.kind} (" in text
    assert f"at most {card.shape[0]} per text, from 1 to {card.vocabulary - 1}, and 0 as padding" in text
    assert "float32" not in text


def test_tokenizers_come_back_from_json() -> None:
    characters = CharacterTokenizer(length=9, pad="batch", alphabet="xyz")
    assert parse_tokenizer(dump_tokenizer(characters), "here") == characters
    pieces = SubwordTokenizer(length=9, pad="full", vocabulary=7, model=bytes(range(256)))
    assert parse_tokenizer(dump_tokenizer(pieces), "here") == pieces


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "student.pt: the tokenizer of the student is not right (JSONDecodeError"),
        ("[]", "student.pt: the tokenizer of the student is not right (AttributeError"),
        ("{}", "student.pt: the tokenizer of the student is not right (KeyError: 'kind'"),
        ('{"kind": "characters"}', "student.pt: the tokenizer of the student is not right (KeyError: 'length'"),
        (
            '{"kind": "sentencepiece", "model": {"base64": "?"}}',
            "student.pt: the tokenizer of the student is not right",
        ),
        ('{"kind": "runes"}', "student.pt: encoding 'runes' is not registered (known: 'none', 'characters'"),
    ],
)
def test_what_is_no_tokenizer(text: str, fault: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_tokenizer(text, "student.pt")
    assert str(caught.value).startswith(fault)


def test_a_damaged_tokenizer_in_a_file(reviewed: tuple[RunResult, Path], tmp_path: Path) -> None:
    content = torch.load(reviewed[0].student, weights_only=True)
    state = json.loads(content["encoder"])
    path = tmp_path / "student.pt"
    torch.save({**content, "encoder": json.dumps({**state, "kind": "runes"})}, path)
    with pytest.raises(InputError, match=rf"{path}: encoding 'runes' is not registered"):
        read_student(path)
    del content["encoder"]
    torch.save(content, path)
    with pytest.raises(InputError, match=rf"{path}: the tokenizer of the student is not right"):
        read_student(path)
