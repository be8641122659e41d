"""The report of an evaluation on rows with one class each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import shorten
from typing import Any

from cgl_ignite.analysis.evaluation import Evaluation, Mistake
from cgl_ignite.analysis.evaluation_figures import confusion_figure
from cgl_ignite.data import Examples, Tokenizer
from cgl_ignite.page.evaluation_files import files_of
from cgl_ignite.page.evaluation_page import MOST_MISTAKES, EvaluationPage, ShownMistake

__all__ = ["report_files"]

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
    page = EvaluationPage(
        rows=f"{facts['n']:,} rows",
        measures=list(evaluation.lines()),
        classes="Classes, the least recall first",
        table=list(evaluation.table()),
        confidence="Confidence and accuracy",
        reliability=evaluation.reliability,
        columns=("class", "predicted", "confidence, %"),
        mistakes=[_shown(one, evaluation.classes) for one in evaluation.mistakes(MOST_MISTAKES)],
        confusions=list(evaluation.confusions()),
        confusion=confusion_figure(evaluation.counts, evaluation.classes),
    )
    return files_of(page, evaluation.tree(MOST_MISTAKES), examples, tokenizer, facts)


def _shown(one: Mistake, classes: Sequence[str]) -> ShownMistake:
    right, predicted, confidence = classes[one.right], classes[one.predicted], f"{one.confidence:.1f}"
    short, answered = (shorten(name, NAME, placeholder="...") for name in (right, predicted))
    return ShownMistake(
        one.row,
        (right, predicted, confidence),
        right,
        f", predicted {predicted} with {confidence} %",
        f"{short} (row {one.row})\n{one.confidence:.0f} % {answered}",
    )
