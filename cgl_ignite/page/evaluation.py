"""The report of an evaluation: a page in HTML and in Markdown, its pictures, and everything as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from textwrap import shorten
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cgl_ignite.analysis.calibration import calibration_figure
from cgl_ignite.analysis.canvas import as_png
from cgl_ignite.analysis.evaluation import Evaluation, Mistake
from cgl_ignite.analysis.evaluation_figures import confusion_figure, mistakes_figure
from cgl_ignite.data import Examples, Ragged, Tokenizer
from cgl_ignite.data.stored import loaded
from cgl_ignite.page.evaluation_html import evaluation_html

__all__ = ["MOST_MISTAKES", "decoded_texts", "grid", "pixels", "report_files"]

MOST_MISTAKES = 24
"""The surest ones that are shown."""
TEXT = 300
"""Characters of a text that are shown."""
NAME = 20


def report_files(
    evaluation: Evaluation, examples: Examples, tokenizer: Tokenizer | None, facts: Mapping[str, Any]
) -> dict[str, bytes]:
    """Return the files of a report by their names, the page first.

    Args:
        evaluation: the answers of the student.
        examples: the rows that it has answered, in the same order.
        tokenizer: of a student of texts; the texts are then listed, of images there is a contact sheet.
        facts: what was evaluated on what, for the page and the JSON file.
    """
    classes, mistakes = evaluation.classes, evaluation.mistakes(MOST_MISTAKES)
    found, name = evaluation.reliability, "selected student"
    figures = {
        "confusion.png": confusion_figure(evaluation.counts, classes),
        "reliability.png": calibration_figure({name: found}, {name: found.error}),
    }
    shown = examples.take(torch.tensor([one.row for one in mistakes], dtype=torch.int64))
    images = []
    if tokenizer is None and mistakes and shown.dense.shape[1] in (1, 3):
        images = [pixels(image) for image in loaded(shown.dense)]
        figures["mistakes.png"] = mistakes_figure(images, [_caption(one, classes) for one in mistakes])
    texts = decoded_texts(shown, tokenizer) if tokenizer and mistakes else [""] * len(mistakes)
    pictures = {name: as_png(figure) for name, figure in figures.items()}
    page = _page(evaluation, mistakes, texts, facts, "mistakes.png" in pictures)
    return {
        "report.html": evaluation_html(evaluation, mistakes, pictures, images, texts, facts).encode(),
        "report.md": page.encode(),
        "report.json": json.dumps({**facts, **evaluation.tree(MOST_MISTAKES)}, indent=1).encode(),
        **pictures,
    }


def _page(
    evaluation: Evaluation, mistakes: Sequence[Mistake], texts: Sequence[str], facts: Mapping[str, Any], sheet: bool
) -> str:
    classes = evaluation.classes
    titles = ("row", "class", "predicted", "confidence, %", *(["text"] if any(texts) else []))
    surest = [
        (str(one.row), classes[one.right], classes[one.predicted], f"{one.confidence:.1f}", *([text] if text else []))
        for one, text in zip(mistakes, texts, strict=True)
    ]
    parts = [
        f"# Student {facts['student']} of run {facts['run_id']} on {facts['data']}",
        f"{facts['n']:,} rows. ![confusion of the classes](confusion.png)",
        grid([("measure", "value"), *evaluation.lines()]),
        "## Classes, the least recall first",
        grid(evaluation.table()),
        "## The most frequent confusions",
        grid(evaluation.confusions()),
        "## Confidence and accuracy",
        "![reliability diagram](reliability.png)",
        "## The surest mistakes",
        *(["![contact sheet](mistakes.png)"] if sheet else []),
        grid([titles, *surest]) if mistakes else "There is none.",
    ]
    return "\n\n".join(parts) + "\n"


def grid(lines: Iterable[Sequence[str]]) -> str:
    """Write rows of cells, the titles first, as a table in Markdown."""
    titles, *rows = [[cell.replace("|", r"\|").replace("\n", " ") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in [titles, ["---"] * len(titles), *rows])


def pixels(image: Tensor) -> Any:
    """Bring an image uint8 (C, H, W) to what is drawn: (H, W, 3), or (H, W) in grey."""
    return np.ascontiguousarray(image.permute(1, 2, 0).squeeze(2).cpu().numpy())


def _caption(one: Mistake, classes: Sequence[str]) -> str:
    right, predicted = (shorten(classes[number], NAME, placeholder="...") for number in (one.right, one.predicted))
    return f"{right} (row {one.row})\n{one.confidence:.0f} % {predicted}"


def decoded_texts(shown: Examples, tokenizer: Tokenizer) -> list[str]:
    """Return the texts as far as the student has read them."""
    ids = shown.inputs.padded() if isinstance(shown.inputs, Ragged) else loaded(shown.inputs)
    return [shorten(text, TEXT, placeholder="...") or "(no text)" for text in tokenizer.decode(ids)]
