"""The report of an evaluation on rows with several labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cgl_ignite.analysis.label_evaluation import LabelEvaluation, LabelMistake
from cgl_ignite.data import Examples, Tokenizer
from cgl_ignite.page.evaluation import report_files
from cgl_ignite.page.evaluation_files import files_of
from cgl_ignite.page.evaluation_page import MOST_MISTAKES, EvaluationPage, ShownMistake
from cgl_ignite.tasks import MULTI_LABEL, SINGLE_LABEL

__all__ = ["REPORTS", "label_report_files"]


def label_report_files(
    evaluation: LabelEvaluation, examples: Examples, tokenizer: Tokenizer | None, facts: Mapping[str, Any]
) -> dict[str, bytes]:
    """Return the files of a report by their names, the page first, as :func:`cgl_ignite.page.evaluation.report_files`.

    There is no matrix of confusions: a row may have any number of the classes.
    """
    page = EvaluationPage(
        rows=f"{facts['n']:,} rows, each with any number of {len(evaluation.classes)} labels",
        measures=list(evaluation.lines()),
        classes="Labels, the least average precision first",
        table=list(evaluation.table()),
        confidence="Confidence and accuracy of every answer, yes or no",
        reliability=evaluation.reliability,
        columns=("label", "right", "probability, %"),
        mistakes=[_shown(one, evaluation.classes) for one in evaluation.mistakes(MOST_MISTAKES)],
    )
    return files_of(page, evaluation.tree(MOST_MISTAKES), examples, tokenizer, facts)


def _shown(one: LabelMistake, classes: Sequence[str]) -> ShownMistake:
    right = f"{'' if one.right else 'not '}{classes[one.label]}"
    return ShownMistake(
        one.row,
        (classes[one.label], "yes" if one.right else "no", f"{one.probability:.1f}"),
        right,
        f", which was given {one.probability:.1f} %",
        f"row {one.row}\n{right}, {one.probability:.0f} %",
    )


REPORTS: Mapping[str, Callable[..., dict[str, bytes]]] = {
    SINGLE_LABEL.name: report_files,
    MULTI_LABEL.name: label_report_files,
}
"""What writes the report of an evaluation, by the name of the task."""
