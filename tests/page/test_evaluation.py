"""The report on a student: the surest mistakes among texts are listed, those among images are drawn."""

from __future__ import annotations

import base64
import io
import json
import re

import torch
from PIL import Image

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
    assert list(files) == ["report.html", "report.md", "report.json", "confusion.png", "reliability.png"]
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


def test_the_page_in_html_lists_texts_and_escapes_them() -> None:
    """The class of row 0 is <pos>, its text has a bracket of its own."""
    targets = torch.tensor([0, 1, 1, 1])
    evaluation = Evaluation(torch.tensor([[0.0, 1.0], [0.0, 1.0], [0.0, 2.0], [0.0, 3.0]]), targets, ["<pos>", "neg"])
    examples = Examples(read(["1 < 2", *TEXTS[1:]]), targets)
    page = report_files(evaluation, examples, TOKENIZER, FACTS)["report.html"].decode()
    assert "<td>&lt;pos&gt;</td><td>neg</td><td>73.1</td><td>1 &lt; 2</td>" in page
    assert "<pos>" not in page
    assert_alone(page)


def test_the_page_in_html_shows_images_in_their_colours() -> None:
    """Rows 1 and 2 are wrong, the latter more surely; it is red and larger than a thumbnail."""
    pixels = torch.zeros(3, 3, 400, 200, dtype=torch.uint8)
    pixels[2, 0] = 255
    targets = torch.tensor([0, 1, 1])
    evaluation = Evaluation(torch.tensor([[1.0, 0.0], [1.0, 0.0], [2.0, 0.0]]), targets, ["cat", "dog"])
    page = report_files(evaluation, Examples(pixels, targets), None, {**FACTS, "n": 3})["report.html"].decode()
    shown = re.findall(
        r'src="data:image/png;base64,([^"]*)" alt="row (\d)".*?<strong>(\w+)</strong>, predicted (\w+)', page
    )
    assert [tuple(rest) for _, *rest in shown] == [("2", "dog", "cat"), ("1", "dog", "cat")]
    with Image.open(io.BytesIO(base64.b64decode(shown[0][0]))) as image:
        assert (image.size, image.getpixel((10, 10))) == ((80, 160), (255, 0, 0))
    assert_alone(page)


def test_the_page_in_html_names_each_of_a_hundred_classes_and_keeps_the_size_of_the_matrix() -> None:
    targets = torch.arange(100)
    logits = torch.eye(100)[torch.arange(100).roll(1)]
    names = [f"class {number}" for number in range(100)]
    page = report_files(
        Evaluation(logits, targets, names), Examples(torch.zeros(100, 1, 2, 2, dtype=torch.uint8), targets), None, FACTS
    )
    (width,) = re.findall(r'width="(\d+)" alt="confusion', page["report.html"].decode())
    assert 1400 < int(width) < 1600
    assert all(f'<th scope="row">{name}</th>' in page["report.html"].decode() for name in names)


def assert_alone(page: str) -> None:
    """The page needs no other file."""
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert "@import" not in page and "url(" not in page
