"""The files of a report on an evaluation: a page in HTML and in Markdown, its pictures, and everything as JSON."""

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
from cgl_ignite.analysis.evaluation_figures import mistakes_figure
from cgl_ignite.data import Examples, Ragged, Tokenizer
from cgl_ignite.data.stored import loaded
from cgl_ignite.page.evaluation_html import evaluation_html
from cgl_ignite.page.evaluation_page import EvaluationPage

__all__ = ["files_of"]

TEXT = 300
"""Characters of a text that are shown."""


def files_of(
    page: EvaluationPage,
    tree: Mapping[str, Any],
    examples: Examples,
    tokenizer: Tokenizer | None,
    facts: Mapping[str, Any],
) -> dict[str, bytes]:
    """Return the files of a report by their names, the page first.

    Args:
        page: what it says.
        tree: everything, for the JSON file.
        examples: the rows that were answered, in the same order.
        tokenizer: of a student of texts; the texts are then listed, of images there is a contact sheet.
        facts: what was evaluated on what, for the page and the JSON file.
    """
    name, mistakes = "selected student", page.mistakes
    figures = {} if page.confusion is None else {"confusion.png": page.confusion}
    figures["reliability.png"] = calibration_figure({name: page.reliability}, {name: page.reliability.error})
    shown = examples.take(torch.tensor([one.row for one in mistakes], dtype=torch.int64))
    images = []
    if tokenizer is None and mistakes and shown.dense.shape[1] in (1, 3):
        images = [_pixels(image) for image in loaded(shown.dense)]
        figures["mistakes.png"] = mistakes_figure(images, [one.label for one in mistakes])
    texts = _decoded(shown, tokenizer) if tokenizer and mistakes else [""] * len(mistakes)
    pictures = {name: as_png(figure) for name, figure in figures.items()}
    title = f"Student {facts['student']} of run {facts['run_id']} on {facts['data']}"
    return {
        "report.html": evaluation_html(title, page, pictures, images, texts).encode(),
        "report.md": _markdown(title, page, pictures, texts).encode(),
        "report.json": json.dumps({**facts, **tree}, indent=1).encode(),
        **pictures,
    }


def _markdown(title: str, page: EvaluationPage, pictures: Mapping[str, bytes], texts: Sequence[str]) -> str:
    titles = ("row", *page.columns, *(["text"] if any(texts) else []))
    surest = [
        (str(one.row), *one.cells, *([text] if text else [])) for one, text in zip(page.mistakes, texts, strict=True)
    ]
    matrix = " ![confusion of the classes](confusion.png)" if page.confusion is not None else ""
    parts = [
        f"# {title}",
        f"{page.rows}.{matrix}",
        _grid([("measure", "value"), *page.measures]),
        f"## {page.classes}",
        _grid(page.table),
        *([] if page.confusions is None else ["## The most frequent confusions", _grid(page.confusions)]),
        f"## {page.confidence}",
        "![reliability diagram](reliability.png)",
        "## The surest mistakes",
        *(["![contact sheet](mistakes.png)"] if "mistakes.png" in pictures else []),
        _grid([titles, *surest]) if surest else "There is none.",
    ]
    return "\n\n".join(parts) + "\n"


def _grid(lines: Iterable[Sequence[str]]) -> str:
    """Write rows of cells, the titles first, as a table in Markdown."""
    titles, *rows = [[cell.replace("|", r"\|").replace("\n", " ") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in [titles, ["---"] * len(titles), *rows])


def _pixels(image: Tensor) -> Any:
    """Bring an image uint8 (C, H, W) to what is drawn: (H, W, 3), or (H, W) in grey."""
    return np.ascontiguousarray(image.permute(1, 2, 0).squeeze(2).cpu().numpy())


def _decoded(shown: Examples, tokenizer: Tokenizer) -> list[str]:
    """Return the texts as far as the student has read them."""
    ids = shown.inputs.padded() if isinstance(shown.inputs, Ragged) else loaded(shown.inputs)
    return [shorten(text, TEXT, placeholder="...") or "(no text)" for text in tokenizer.decode(ids)]
