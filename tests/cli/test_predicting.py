"""``cgl predict -o``: a row for each row of a table, each picture or each text."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from pyarrow import parquet

from cgl_ignite.cli.main import cgl
from cgl_ignite.data import DATASETS
from cgl_ignite.pipeline import RunResult
from cgl_ignite.student import answer_texts, logits, read_student
from tests.texts import finished_text_run

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch", "ignore::FutureWarning:torch")
TEXTS = ["the food was cold", 'said "no", twice\nand left', "", "good"] + [f"place {number}" for number in range(600)]


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return finished_text_run(tmp_path_factory.mktemp("home"))


def predict(*arguments: object) -> Result:
    return CliRunner().invoke(cgl, ["predict", *map(str, arguments)])


def rows_of(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_table(path: Path) -> Path:
    numbers = list(range(len(TEXTS)))
    if path.suffix == ".parquet":
        parquet.write_table(pa.table({"id": numbers, "text": TEXTS}), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps({"id": n, "text": text}) + "\n" for n, text in enumerate(TEXTS)))
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("id", "text"), *enumerate(TEXTS)])
    return path


@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
@pytest.mark.parametrize("name", ["new.csv", "new.parquet", "new.jsonl"])
def test_every_row_of_a_table_is_answered(reviewed: RunResult, tmp_path: Path, name: str, ending: str) -> None:
    target = tmp_path / f"answers{ending}"
    table = write_table(tmp_path / name)
    done = predict(reviewed.student, table, "--column", "text", "-o", target, "--probabilities")
    assert done.exit_code == 1
    assert f"1 of {len(TEXTS)} rows could not be read" in done.stderr
    student, card = read_student(Path(reviewed.student))
    shares = dict(zip(TEXTS, answer_texts(student, [text or " " for text in TEXTS]).softmax(1), strict=True))
    rows = rows_of(target)
    assert [int(row["row"]) for row in rows] == list(range(1, len(TEXTS) + 1))
    assert [row["text"] for row in rows] == TEXTS
    assert rows[2]["error"] == "is empty"
    assert not rows[2].get("label")
    for row in rows[:2] + rows[3:]:
        known = shares[row["text"]]
        assert row["label"] == card.classes[int(known.argmax())]
        assert float(row["probability"]) == pytest.approx(known.max().item(), abs=1e-5)
        told = row["probabilities"] if ending == ".jsonl" else {c: row[f"probability of {c}"] for c in card.classes}
        assert [float(told[c]) for c in card.classes] == pytest.approx(known.tolist(), abs=1e-5)
        assert not row.get("error")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, target.name])


def test_columns_by_number_are_joined(reviewed: RunResult, tmp_path: Path) -> None:
    (tmp_path / "new.tsv").write_text("good\tfood\nbad\tplace\n")
    target = tmp_path / "answers.jsonl"
    done = predict(reviewed.student, tmp_path / "*.tsv", "--column", 2, "--column", 1, "-o", target, "--json")
    assert (done.exit_code, json.loads(done.stdout)) == (0, {"file": str(target), "rows": 2, "errors": 0})
    assert [row["text"] for row in rows_of(target)] == ["food good", "place bad"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--column", "texts", "-o", "a.csv"], "--column = 'texts' is not in the header of"),
        (["--column", "text", "-o", "a.txt"], "the name must end with .csv or .jsonl"),
        (["--column", "text"], "need -o"),
        (["--column", "3", "-o", "a.csv"], "--column = 3"),
    ],
)
def test_what_does_not_fit_is_named(reviewed: RunResult, workdir: Path, arguments: list[str], message: str) -> None:
    write_table(workdir / "new.csv")
    failed = predict(reviewed.student, "new.csv", *arguments)
    assert (failed.exit_code, failed.stdout) == (2, "")
    assert message in failed.stderr
    assert [path.name for path in workdir.iterdir()] == ["new.csv"]


def test_nothing_is_written_if_no_row_can_be_read(reviewed: RunResult, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("id,text\n1,\n2,\n")
    failed = predict(reviewed.student, tmp_path / "new.csv", "--column", "text", "-o", tmp_path / "answers.csv")
    assert (failed.exit_code, failed.stdout) == (2, "")
    assert [path.name for path in tmp_path.iterdir()] == ["new.csv"]


@pytest.mark.parametrize("listed", [False, True])
def test_pictures_of_a_folder_and_of_a_table(result: RunResult, tmp_path: Path, listed: bool) -> None:
    student, card = read_student(Path(result.student))
    inputs = DATASETS.get("digits")(tmp_path).test().inputs[:5]
    folder = tmp_path / "pictures"
    folder.mkdir()
    for row, image in enumerate(inputs):
        Image.fromarray(image[0].numpy()).save(folder / f"{row}.png")
    (folder / "5.png").write_bytes(b"no image")
    (tmp_path / "new.csv").write_text("file\n" + "".join(f"pictures/{row}.png\n" for row in range(6)))
    asked = [tmp_path / "new.csv", "--column", "file"] if listed else [folder]
    done = predict(result.student, *asked, "-o", tmp_path / "answers.csv")
    assert done.exit_code == 1
    rows = rows_of(tmp_path / "answers.csv")
    best = logits(student, inputs).argmax(1).tolist()
    assert [row["label"] for row in rows] == [*(card.classes[number] for number in best), ""]
    assert [Path(row["path"]).name for row in rows] == [f"{row}.png" for row in range(6)]
    assert rows[5]["error"] == "cannot be read as an image: its format is not known"
