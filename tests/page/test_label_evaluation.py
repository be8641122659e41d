"""The report on a student of rows with several labels."""

from __future__ import annotations

import re

import pytest
import torch

from cgl_ignite.analysis.label_evaluation import LabelEvaluation
from cgl_ignite.data import Examples
from cgl_ignite.page.label_evaluation import label_report_files
from tests.page.test_evaluation import FACTS, TEXTS, TOKENIZER, assert_alone, read

CLASSES = ["<late>", "rude"]
LOGITS = torch.tensor([[2.0, -1.0], [-3.0, 1.0], [1.0, 1.0], [-1.0, -1.0]])
TARGETS = torch.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
"""Wrong are row 1, which has the label <late> with 4.7 %, and row 2, which has not the label rude with 73.1 %."""


def report(examples: Examples, *, texts: bool = False) -> dict[str, bytes]:
    evaluation = LabelEvaluation(LOGITS, TARGETS, CLASSES)
    return label_report_files(evaluation, examples, TOKENIZER if texts else None, FACTS)


@pytest.fixture(scope="module")
def of_texts() -> dict[str, bytes]:
    return report(Examples(read(["good | fine", "1 < 2", *TEXTS[2:]]), torch.arange(4)), texts=True)


def test_the_page_in_html_lists_labels_and_the_surest_mistakes(of_texts: dict[str, bytes]) -> None:
    assert list(of_texts) == ["report.html", "report.md", "report.json", "reliability.png"]
    page = of_texts["report.html"].decode()
    assert "4 rows, each with any number of 2 labels" in page
    assert "<td>&lt;late&gt;</td><td>yes</td><td>4.7</td><td>1 &lt; 2</td>" in page
    assert "<td>rude</td><td>no</td><td>73.1</td><td>so so</td>" in page
    assert page.index("4.7</td>") < page.index("73.1</td>")
    assert "<late>" not in page
    assert "confusion" not in page
    assert_alone(page)


def test_the_page_in_html_has_the_measures_of_several_labels(of_texts: dict[str, bytes]) -> None:
    """Of 8 answers 3 of 4 labels are found, and 3 of the 4 that are named are right: micro-F1 is 75 %."""
    page = of_texts["report.html"].decode()
    shown = dict(re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd>", page))
    assert shown["micro f1"] == "75.00 %"
    assert {"mean average precision", "macro f1", "hamming loss", "all labels right"} <= shown.keys()
    assert shown["all labels right"].startswith("50.00 % of the rows")
    heads = re.findall(r'<th scope="col">([^<]*)</th>', page)
    assert heads[:7] == ["label", "rows", "predicted", "precision, %", "recall, %", "F1, %", "average precision, %"]


def test_markdown_and_html_say_the_same(of_texts: dict[str, bytes]) -> None:
    page = of_texts["report.md"].decode()
    assert page[page.index("## The surest mistakes") :].splitlines()[2:] == [
        "| row | label | right | probability, % | text |",
        "| --- | --- | --- | --- | --- |",
        "| 1 | <late> | yes | 4.7 | 1 < 2 |",
        "| 2 | rude | no | 73.1 | so so |",
    ]


def test_pictures_of_the_surest_mistakes() -> None:
    files = report(Examples(torch.randint(256, (4, 3, 8, 8), dtype=torch.uint8), torch.arange(4)))
    assert "mistakes.png" in files
    page = files["report.html"].decode()
    shown = re.findall(r'alt="row (\d)"><figcaption><strong>(.*?)</strong>(.*?)</figcaption>', page)
    assert shown == [
        ("1", "&lt;late&gt;", ", which was given 4.7 % (row 1)"),
        ("2", "not rude", ", which was given 73.1 % (row 2)"),
    ]
    assert_alone(page)
