"""Whether quotes enclose the columns of a table that is separated by tabs, or are characters like others."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

__all__ = ["are_characters"]


def are_characters(lines: Callable[[], AbstractContextManager[Iterable[str]]], delimiter: str) -> int | None:
    """Find the first line that shows that quotes are characters like others, if there is one.

    They are if all lines of the file have equally many columns without regard to quotes, and a line is no row of its
    own with regard to them: a quote in it is opened and not closed, or something follows the closing one.

    Returns:
        The number of that line, from 1; None if quotes enclose columns, or nothing tells.
    """
    columns, first = 0, None
    with lines() as opened:
        for number, line in enumerate(opened, start=1):
            if not line.strip("\r\n"):
                continue
            here = line.count(delimiter)
            columns = columns or here
            if not here or here != columns:
                return None
            if first is None and '"' in line and not _is_row(line, delimiter):
                first = number
    return first


def _is_row(line: str, delimiter: str) -> bool:
    try:
        return len(list(csv.reader([line], delimiter=delimiter, strict=True))) == 1
    except csv.Error:
        return False
