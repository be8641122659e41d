"""The verbs that use a student, on a student of texts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cgl_ignite.cli.main import cgl
from cgl_ignite.pipeline import RunResult
from cgl_ignite.student import answer_texts, read_student
from tests.texts import finished_text_run

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch", "ignore::FutureWarning:torch")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def reviewed(home: Path) -> RunResult:
    return finished_text_run(home)


def command(*arguments: object, lines: str | None = None) -> Result:
    return CliRunner().invoke(cgl, list(map(str, arguments)), input=lines)


def test_texts_get_their_classes(reviewed: RunResult) -> None:
    texts = ["the food was cold", "again!\tand again"]
    student, card = read_student(Path(reviewed.student))
    shares = answer_texts(student, texts).softmax(1)
    done = command("predict", reviewed.student, *texts, "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    found = json.loads(done.stdout)["predictions"]
    assert [entry["text"] for entry in found] == texts
    for entry, row in zip(found, shares, strict=True):
        assert entry["label"] == card.classes[int(row.argmax())]
        assert entry["probability"] == pytest.approx(row.max().item(), abs=1e-6)
        assert [other["label"] for other in entry["next"]] == [card.classes[int(row.argmin())]]


def test_a_line_for_each_line(reviewed: RunResult, home: Path, tmp_path: Path) -> None:
    (tmp_path / "some.txt").write_text("one\ttab\n\nlast")
    folder = home / "tracking"
    from_file = command("predict", "latest", tmp_path / "some.txt", "--folder", folder)
    from_input = command("predict", "latest", "-", "--folder", folder, lines="one\ttab\n\nlast\n")
    assert (from_file.exit_code, from_input.exit_code) == (0, 0)
    assert from_file.stdout == from_input.stdout
    rows = [line.split("\t") for line in from_file.stdout.splitlines()]
    assert [row[0] for row in rows] == ["one tab", "", "last"]
    for _, first, share, second, less in rows:
        assert {first, second} == {"bad", "good"}
        assert float(share) + float(less) == pytest.approx(1, abs=2e-4)


def test_texts_that_cannot_be_read(reviewed: RunResult, tmp_path: Path) -> None:
    for given in (tmp_path / "gone.txt", tmp_path):
        failed = command("predict", reviewed.student, given)
        assert (failed.exit_code, failed.stdout) == (2, "")
        assert str(given) in failed.stderr
    failed = command("predict", reviewed.student, "-", lines="")
    assert (failed.exit_code, failed.stdout) == (2, "")
    assert "no line to read" in failed.stderr


def test_a_bad_file_does_not_stop_the_others(reviewed: RunResult, tmp_path: Path) -> None:
    gone = tmp_path / "gone.txt"
    (tmp_path / "some.txt").write_text("one\ntwo")
    done = command("predict", reviewed.student, gone, tmp_path / "some.txt", "--json")
    assert (done.exit_code, done.stderr) == (1, "error: 1 of 3 texts and files could not be read\n")
    first, second, third = json.loads(done.stdout)["predictions"]
    assert first == {"text": str(gone), "error": "cannot be read: No such file or directory"}
    assert (second["text"], third["text"]) == ("one", "two")
    lines = command("predict", reviewed.student, "one", gone).stdout.splitlines()
    assert lines[1] == f"{gone}\terror: cannot be read: No such file or directory"


def test_pictures_are_no_texts(result: RunResult) -> None:
    failed = command("predict", result.student, "the food was cold")
    assert (failed.exit_code, failed.stdout) == (2, "")
    assert "the food was cold does not exist" in failed.stderr


@pytest.mark.parametrize("form", ["state", "pt2"])
def test_an_exported_student_needs_nothing_else(reviewed: RunResult, home: Path, tmp_path: Path, form: str) -> None:
    path = tmp_path / "reader"
    done = command("export", "latest", "--format", form, "-o", path, "--folder", home / "tracking")
    assert (done.exit_code, done.stdout) == (0, f"{path}\n")
    assert "Reads raw text, of which its tokenizer, characters (" in (tmp_path / "reader.md").read_text()
    lines = [command("predict", student, "warm food", "--top", 1).stdout for student in (path, reviewed.student)]
    assert lines[0] == lines[1]
    measured = command("evaluate", path, home / "reviews", "--root", home, "--json")
    assert measured.exit_code == 0
    found = json.loads(measured.stdout)
    assert (found["accuracy"], found["n"]) == (pytest.approx(reviewed.test_accuracy), 30)


def test_evaluation_on_what_the_student_does_not_read(reviewed: RunResult) -> None:
    failed = command("evaluate", reviewed.student, "digits")
    assert (failed.exit_code, failed.stdout) == (2, "")
    assert "digits holds image, but the student reads text" in failed.stderr
