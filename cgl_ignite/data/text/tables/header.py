"""Is the first row of a table its header? Decided by the words in it and by the labels below it."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["are_column_words", "are_numbers", "is_header", "label_column", "may_be_names", "parts_of"]

_LABELS = "label class category target topic sentiment intent emotion polarity genre stars rating"
_LABEL_WORDS = _LABELS.split()
_PLURALS = {"label": "labels", "class": "classes", "category": "categories", "target": "targets", "topic": "topics"}
_OTHERS = (
    "abstract answer author body comment comments content date description document feedback headline id idx index key "
    "message messages name news no note notes nr number phrase post product question review reviews row score sentence "
    "sentences source split star subject summary text texts title titles tweet tweets type unnamed url user utterance"
)
_WORDS = {*_LABEL_WORDS, *_PLURALS.values(), *_OTHERS.split()}
_LONGEST_NAME = 40
_MOST_WORDS = 4


def parts_of(name: str) -> list[str]:
    """Divide a column's name into words in lower case.

    Example:
        >>> parts_of("ReviewText_2")
        ['review', 'text']
    """
    return re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())


def are_column_words(cells: Sequence[str]) -> bool:
    """Whether all cells are usual names of columns, or have no name.

    Example:
        >>> are_column_words(["", "Review Text", "label"]), are_column_words(["good", "text"])
        (True, False)
    """
    named = [cell for cell in cells if cell]
    return bool(named) and all((parts := parts_of(cell)) and _WORDS.issuperset(parts) for cell in named)


def are_numbers(cells: Sequence[str]) -> bool:
    """Whether all cells are numbers."""
    return all(map(_is_number, cells))


def may_be_names(cells: Sequence[str]) -> bool:
    """Whether all cells are as short as names, all different, and no numbers.

    Example:
        >>> may_be_names(["Kategorie", "Text der Meldung"]), may_be_names(["good", "A fine place."])
        (True, False)
    """
    named = [cell.strip() for cell in cells if cell.strip()]
    return len({*named}) == len(named) and not any(
        len(cell) > _LONGEST_NAME or len(cell.split()) > _MOST_WORDS or _is_number(cell) or cell[-1] in ".!?"
        for cell in named
    )


def label_column(names: Sequence[str]) -> int | None:
    """Find the column whose name is the most usual one for a label, or ends with it.

    Example:
        >>> label_column(["text", "label_text", "label"]), label_column(["tweet", "airline_sentiment"])
        (2, 1)
    """
    divided = [parts_of(name) for name in names]
    for candidates in (divided, [parts[-1:] for parts in divided]):
        for word in _LABEL_WORDS:
            for place, parts in enumerate(candidates):
                if parts in ([word], [_PLURALS.get(word)]):
                    return place
    return None


def is_header(
    rows: Sequence[Sequence[str]],
    label: int,
    found: Sequence[str],
    codes: NDArray[np.int64],
    classes: Collection[str] = (),
) -> bool:
    """Decide by a table's first rows and by all its labels.

    The first row is a header if its label occurs nowhere else, is no number and no known class, and one of these holds:

    - its cells are usual names of columns;
    - its cells may be names, and all other labels are numbers;
    - its cells may be names, and all other labels repeat; or half of them do, and the first row differs from the rest.

    Args:
        rows: the first rows.
        label: the column of the label.
        found: the different labels of the whole table, in order of appearance.
        codes: the number of each row's label, the first row's among them.
        classes: names that are known to be classes.
    """
    first, others = rows[0][label].strip(), found[1:]
    if not first or first in classes or _is_number(first) or (codes == 0).sum() > 1:
        return False
    if are_column_words([cell.strip() for cell in rows[0]]):
        return True
    if not others or not may_be_names(rows[0]) or _recurs(rows, label):
        return False
    repeated = np.bincount(codes)[1:] > 1
    return bool(are_numbers(others) or repeated.all() or (repeated.mean() >= 0.5 and _differs(rows, label)))


def _is_number(cell: str) -> bool:
    return re.fullmatch(r"[+-]?\d+([.,]\d+)?", cell.strip()) is not None


def _recurs(rows: Sequence[Sequence[str]], label: int) -> bool:
    """Whether a cell of the first row stands below itself again."""
    columns = [place for place, cell in enumerate(rows[0]) if place != label and cell.strip()]
    return any(len(row) > place and row[place] == rows[0][place] for row in rows[1:] for place in columns)


def _differs(rows: Sequence[Sequence[str]], label: int) -> bool:
    """Whether a cell of the first row is much shorter than those below it, or they are numbers."""
    for place, cell in enumerate(rows[0]):
        below = [row[place] for row in rows[1:] if len(row) > place and row[place]]
        longer = below and median(map(len, below)) > 2 * len(cell)
        if place != label and cell and below and (longer or are_numbers(below)):
            return True
    return False
