"""What the page about an evaluation says, whatever the task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cgl_ignite.analysis.calibration import Reliability

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["MOST_MISTAKES", "EvaluationPage", "ShownMistake"]

MOST_MISTAKES = 24
"""The surest ones that are shown."""


@dataclass(frozen=True)
class ShownMistake:
    """A mistake in words.

    Attributes:
        row: from 0.
        cells: under :attr:`EvaluationPage.columns`.
        subject: what was right, for the caption of a picture.
        remark: what was answered instead, behind the subject.
        label: of its picture on the contact sheet, in two lines.
    """

    row: int
    cells: tuple[str, ...]
    subject: str
    remark: str
    label: str


@dataclass(frozen=True)
class EvaluationPage:
    """What the page about an evaluation says.

    Attributes:
        rows: what was answered, in a few words.
        measures: names and values.
        classes: the title of the table of the classes.
        table: its rows, the titles first.
        confidence: the title of the reliability diagram.
        reliability: what is drawn there.
        columns: titles of the cells of mistakes, between row and text.
        mistakes: the surest ones first.
        confusions: the most frequent ones, titles first; None if the task has none.
        confusion: the matrix of the confusions, if the task has one.
    """

    rows: str
    measures: Sequence[tuple[str, str]]
    classes: str
    table: Sequence[tuple[str, ...]]
    confidence: str
    reliability: Reliability
    columns: tuple[str, ...]
    mistakes: Sequence[ShownMistake]
    confusions: Sequence[tuple[str, ...]] | None = None
    confusion: Figure | None = None
