"""The report of an evaluation on rows with several labels: a page in Markdown, its pictures, and everything as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from cgl_ignite.analysis.calibration import calibration_figure
from cgl_ignite.analysis.canvas import as_png
from cgl_ignite.analysis.evaluation_figures import mistakes_figure
from cgl_ignite.analysis.label_evaluation import LabelEvaluation, LabelMistake
from cgl_ignite.data import Examples, Tokenizer
from cgl_ignite.data.stored import loaded
from cgl_ignite.page.evaluation import MOST_MISTAKES, decoded_texts, grid, pixels, report_files
from cgl_ignite.tasks import MULTI_LABEL, SINGLE_LABEL

__all__ = ["REPORTS", "label_report_files"]


def label_report_files(
    evaluation: LabelEvaluation, examples: Examples, tokenizer: Tokenizer | None, facts: Mapping[str, Any]
) -> dict[str, bytes]:
    """Return the files of a report by their names, the page first, as :func:`cgl_ignite.page.evaluation.report_files`.

    There is no matrix of confusions: a row may have any number of the classes.
    """
    mistakes, name = evaluation.mistakes(MOST_MISTAKES), "selected student"
    found = evaluation.reliability
    pictures = {"reliability.png": calibration_figure({name: found}, {name: found.error})}
    shown = examples.take(torch.tensor([one.row for one in mistakes], dtype=torch.int64))
    if tokenizer is None and mistakes and shown.dense.shape[1] in (1, 3):
        captions = [f"row {one.row}\n{_told(evaluation, one)}" for one in mistakes]
        pictures["mistakes.png"] = mistakes_figure([pixels(image) for image in loaded(shown.dense)], captions)
    texts = decoded_texts(shown, tokenizer) if tokenizer and mistakes else [""] * len(mistakes)
    page = _page(evaluation, mistakes, texts, facts, "mistakes.png" in pictures)
    return {
        "report.md": page.encode(),
        "report.json": json.dumps({**facts, **evaluation.tree(MOST_MISTAKES)}, indent=1).encode(),
        **{name: as_png(figure) for name, figure in pictures.items()},
    }


def _told(evaluation: LabelEvaluation, one: LabelMistake) -> str:
    return f"{'' if one.right else 'not '}{evaluation.classes[one.label]}, {one.probability:.0f} %"


def _page(
    evaluation: LabelEvaluation,
    mistakes: Sequence[LabelMistake],
    texts: Sequence[str],
    facts: Mapping[str, Any],
    sheet: bool,
) -> str:
    titles = ("row", "label", "right", "probability, %", *(["text"] if any(texts) else []))
    surest = [
        (
            str(one.row),
            evaluation.classes[one.label],
            "yes" if one.right else "no",
            f"{one.probability:.1f}",
            *([text] if text else []),
        )
        for one, text in zip(mistakes, texts, strict=True)
    ]
    parts = [
        f"# Student {facts['student']} of run {facts['run_id']} on {facts['data']}",
        f"{facts['n']:,} rows, each with any number of {len(evaluation.classes)} labels.",
        grid([("measure", "value"), *evaluation.lines()]),
        "## Labels, the least average precision first",
        grid(evaluation.table()),
        "## Confidence and accuracy of every answer, yes or no",
        "![reliability diagram](reliability.png)",
        "## The surest mistakes",
        *(["![contact sheet](mistakes.png)"] if sheet else []),
        grid([titles, *surest]) if mistakes else "There is none.",
    ]
    return "\n\n".join(parts) + "\n"


REPORTS: Mapping[str, Callable[..., dict[str, bytes]]] = {
    SINGLE_LABEL.name: report_files,
    MULTI_LABEL.name: label_report_files,
}
"""What writes the report of an evaluation, by the name of the task."""
