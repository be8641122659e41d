"""The report on a student of texts: its surest mistakes are listed, not drawn."""

from __future__ import annotations

import json

import torch

from cgl_ignite.analysis.evaluation import Evaluation
from cgl_ignite.data import CharacterTokenizer, Examples, Ragged
from cgl_ignite.page.evaluation import report_files

TOKENIZER = CharacterTokenizer(length=40, pad="batch")
TEXTS = ["good | fine", "bad", "so so", "not good"]
FACTS = {"run_id": "1a2b", "student": 2, "epoch": 1, "data": "reviews", "n": 4}


def read(texts: list[str]) -> Ragged:
    """Token ids of texts of different lengths, which begin after one unused token."""
    ids = [TOKENIZER.encode([text])[0] for text in texts]
    lengths = torch.tensor([len(one) for one in ids])
    return Ragged(torch.cat([torch.zeros(1, dtype=torch.int64), *ids]), 1 + lengths.cumsum(0) - lengths, lengths)


def report(logits: list[list[float]]) -> dict[str, bytes]:
    targets = torch.tensor([0, 1, 1, 1])
    examples = Examples(read(TEXTS), targets)
    return report_files(Evaluation(torch.tensor(logits), targets, ["pos", "neg"]), examples, TOKENIZER, FACTS)


def test_texts_of_the_surest_mistakes() -> None:
    """Rows 0, 2 and 3 are wrong; the last is the surest."""
    files = report([[0.0, 1.0], [0.0, 1.0], [0.5, 0.0], [3.0, 0.0]])
    assert list(files) == ["report.md", "report.json", "confusion.png", "reliability.png"]
    page = files["report.md"].decode()
    assert page.startswith("# Student 2 of run 1a2b on reviews")
    rows = page[page.index("## The surest mistakes") :].splitlines()[4:]
    assert rows == [
        "| 3 | neg | pos | 95.3 | not good |",
        r"| 0 | pos | neg | 73.1 | good \| fine |",
        "| 2 | neg | pos | 62.2 | so so |",
    ]
    assert [one["row"] for one in json.loads(files["report.json"])["mistakes"]] == [3, 0, 2]


def test_a_student_without_a_mistake() -> None:
    page = report([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]])["report.md"].decode()
    assert page.endswith("There is none.\n")
