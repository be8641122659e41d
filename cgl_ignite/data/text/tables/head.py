"""The first rows of a table, and what they tell of its format."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Literal

from cgl_ignite.data.text.tables.charset import UTF8, charset_of, check_charset, guess
from cgl_ignite.data.text.tables.quotes import are_characters
from cgl_ignite.data.text.tables.rows import BLOCK_BYTES
from cgl_ignite.data.text.tables.stream import DAMAGED, SEPARATOR_LINE, opened
from cgl_ignite.errors import InputError

__all__ = ["Format", "find_format", "first_rows"]

_FIRST = 1000
_CANDIDATES = ",;\t|"
_SEPARATOR_LINE_BYTES = 16
_CHARSET_BYTES = 1024


@dataclass(frozen=True)
class Format:
    """How columns are written.

    Args:
        delimiter: what separates them.
        quotes: quotes enclose a column, with those inside doubled.
        escape: the character after this one is taken as it is.
        charset: the character set of the file.
    """

    delimiter: str
    quotes: bool = True
    escape: str | None = None
    charset: str = UTF8


def find_format(
    path: Path, delimiter: str | None, quotes: bool | None, escape: str | None, charset: str | None = None
) -> tuple[Format, tuple[str, ...]]:
    """Find out how a table is written as far as that is not given, and say so where it is not usual.

    - The character set is UTF-8, or UTF-16 or UTF-32 by their marks.
    - The delimiter is a tab in a ``.tsv``, else a comma. Another is taken if the first line names it (``sep=;``), or
      if it alone divides the first rows into equally many columns.
    - Quotes enclose columns, except where a table that is separated by tabs shows that they are characters like others
      (:func:`~cgl_ignite.data.text.tables.quotes.are_characters`).

    Raises:
        InputError: a character that cannot be a delimiter, an unknown character set, or a file that cannot be read.
    """
    if escape is not None:
        _check_character("data.escape", escape)
    known, notes = _find_charset(path, charset)
    form = Format(delimiter or "", quotes is not False, escape, known)
    found, more = _find_delimiter(path, delimiter, form)
    if escape == found:
        raise InputError(f"data.escape = {escape!r} is the delimiter of {path} too")
    form = replace(form, delimiter=found)
    if quotes is None and found == "\t" and escape is None and (line := _line_with_quotes(path, form)):
        way = f"quotes are read as characters like others, as line {line} shows (data.quotes overrules this)"
        return replace(form, quotes=False), (*notes, *more, way)
    return form, (*notes, *more)


def _find_charset(path: Path, given: str | None) -> tuple[str, tuple[str, ...]]:
    if given is not None:
        return check_charset(given), ()
    try:
        with opened(path) as (file, _):
            found = charset_of(file.read(_CHARSET_BYTES))
    except DAMAGED as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    return found, () if found == UTF8 else (f"the character set is {found} (data.charset overrules this)",)


def _line_with_quotes(path: Path, form: Format) -> int | None:
    usual = csv.field_size_limit(BLOCK_BYTES)
    try:
        return are_characters(partial(_lines, path, form.charset), form.delimiter)
    except DAMAGED as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    finally:
        csv.field_size_limit(usual)


def _find_delimiter(path: Path, given: str | None, form: Format) -> tuple[str, tuple[str, ...]]:
    if given is not None:
        _check_character("data.delimiter", given)
        return given, ()
    if named := _named_delimiter(path, form.charset):
        _check_character(f"{path}: the delimiter of the first line", named)
        return named, (f"the first line names the delimiter {named!r} (data.delimiter overrules this)",)
    usual = "\t" if ".tsv" in map(str.lower, path.suffixes) else ","
    if not _divides(first_rows(path, replace(form, delimiter=usual))):
        others = [one for one in _CANDIDATES if one not in (usual, form.escape)]
        fitting = [other for other in others if _divides(first_rows(path, replace(form, delimiter=other)))]
        if len(fitting) == 1:
            return fitting[0], (f"columns are separated by {fitting[0]!r} (data.delimiter overrules this)",)
    return usual, ()


def first_rows(path: Path, form: Format) -> list[list[str]]:
    """Read up to a thousand rows, without blank lines, and no further than a row that cannot be read.

    Raises:
        InputError: a file that is empty, unreadable or not UTF-8, or a first row without an end.
    """
    rows: list[list[str]] = []
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if form.quotes else csv.QUOTE_NONE
    usual = csv.field_size_limit(BLOCK_BYTES)
    try:
        with _lines(path, form.charset) as lines:
            without_nul = (line.replace("\0", " ") for line in lines)
            reader = csv.reader(without_nul, delimiter=form.delimiter, quoting=quoting, escapechar=form.escape)
            rows.extend(islice(filter(None, reader), _FIRST))
    except DAMAGED as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    except csv.Error as error:
        if not rows:
            raise InputError(f"{path}, row 1 cannot be read, or a quote is never closed: {error}") from error
    finally:
        csv.field_size_limit(usual)
    if not rows:
        raise InputError(f"{path} holds no rows")
    for cell in rows[0]:
        content = cell.encode(errors="surrogateescape")
        try:
            content.decode()
        except UnicodeDecodeError as error:
            raise InputError(f"{path}, row 1 is not UTF-8 text; {guess(content, error)}") from error
    return rows


@contextmanager
def _lines(path: Path, charset: str) -> Iterator[io.TextIOWrapper]:
    """Open a table as text, behind the line that names the delimiter."""
    line = _separator_line(path, charset)
    with opened(path, charset) as (file, _):
        file.read(line.end() if line else 0)
        lines = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
        try:
            yield lines
        finally:
            lines.detach()


def _separator_line(path: Path, charset: str) -> re.Match[bytes] | None:
    with opened(path, charset) as (file, _):
        return SEPARATOR_LINE.match(file.read(_SEPARATOR_LINE_BYTES))


def _named_delimiter(path: Path, charset: str) -> str | None:
    """Read the delimiter that Excel's first line ``sep=;`` names, if there is such a line."""
    try:
        line = _separator_line(path, charset)
    except DAMAGED as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    return line[2].decode() if line else None


def _divides(rows: list[list[str]]) -> bool:
    """Whether all rows have the same number of columns, and more than one."""
    return len(rows[0]) > 1 and len({*map(len, rows)}) == 1


def _check_character(where: str, character: str) -> None:
    if character in '"\r\n\0' or not character.isascii():
        raise InputError(f"{where} = {character!r} must be one ASCII character, and neither a quote nor a new line")
