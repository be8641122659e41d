"""The names of the classes of a table: given, listed in ``classes.txt``, or the labels themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cgl_ignite.data.text.tables.table import TextTable
from cgl_ignite.data.text.tables.typed import ONE_LABEL
from cgl_ignite.errors import InputError, choices

__all__ = ["MISSING", "Naming", "check_known", "check_missing", "is_count", "looks_like_list", "name_classes"]

_FEW_ROWS = 20
_SHOWN = 5
_MANY = 12
_FILE = "classes.txt"
MISSING = ("nan", "<na>", "#n/a", "nat")
"""How programs write a missing value, in small letters."""
_LIST = re.compile(r"""\[\s*['"\d].*\]""", re.DOTALL)
_PERHAPS_MISSING = ("na", "n/a", "null", "none", "-", "?")


@dataclass(frozen=True)
class Naming:
    """The classes in order, the number of each by what stands in the column of the label, and what was decided.

    Where rows have several labels, the numbers are those of ``label_sets``, each the classes of a row, in order.
    """

    classes: tuple[str, ...]
    numbers: Mapping[str, int]
    notes: tuple[str, ...] = ()
    label_sets: tuple[tuple[int, ...], ...] | None = None

    @property
    def members(self) -> Tensor | None:
        """Which classes are in each set of labels, bool (sets, classes); None if rows have one class."""
        if self.label_sets is None:
            return None
        found = torch.zeros(len(self.label_sets), len(self.classes), dtype=torch.bool)
        for row, held in zip(found, self.label_sets, strict=True):
            row[list(held)] = True
        return found


def name_classes(train: TextTable, others: Iterable[TextTable], given: Sequence[str] | None) -> Naming:
    """Name the classes: as given, or by the lines of ``classes.txt`` if the labels number them, or by the labels.

    Labels that are numbers count from 0 if a 0 is among them, in any table, else from 1.

    Raises:
        InputError: a name that is there twice, fewer than two classes, or as many classes as rows.
    """
    zero = any("0" in table.found for table in (train, *others))
    listed = train.path.with_name(_FILE)
    unused = f"{_FILE} is not used, as " if listed.is_file() else ""
    if given:
        names = _each_once("data.classes", given)
        notes = (f"{unused}data.classes is given",) if unused else ()
        if {*train.found} <= {*names} or not all(map(is_count, train.found)):
            return Naming(names, _by_name(names), notes)
        numbers = _counted(len(names), 0 if zero else 1)
        return Naming(names, numbers, (*notes, _told("data.classes", names, numbers)))
    if not unused:
        return _by_labels(train)
    lines = [line.strip() for line in listed.read_text("utf-8-sig", "replace").splitlines() if line.strip()]
    for first in (0, 1) if zero else (1,):
        if {*train.found} <= _counted(len(lines), first).keys():
            names, numbers = _each_once(str(listed), lines), _counted(len(lines), first)
            return Naming(names, numbers, (_told(_FILE, names, numbers),))
    naming = _by_labels(train)
    if not all(map(is_count, train.found)):
        why = "the labels are names, not numbers"
    else:
        why = f"it has {len(lines)} lines, and the labels are {naming.classes[0]} to {naming.classes[-1]}"
    return Naming(naming.classes, naming.numbers, (unused + why,))


def check_known(table: TextTable, naming: Naming) -> None:
    """Check that each label of a table is one of the classes.

    Raises:
        InputError: one that is empty or unknown, with its row.
    """
    for code, label in enumerate(table.found):
        if label not in naming.numbers or (not label and naming.label_sets is None):
            row = 1 + table.layout.header + int((table.codes == code).argmax())
            known = choices(naming.numbers) if len(naming.numbers) <= _MANY else f"one of {len(naming.numbers)} classes"
            fault = f"class {label!r} is not {known}" if label else "column of the class is empty"
            raise InputError(f"{table.path}, row {row}: the {fault}")


def check_missing(table: TextTable, given: Sequence[str] | None) -> Iterator[str]:
    """Look for labels that stand for a missing value, and yield a sentence about each that may be one.

    Raises:
        InputError: a label that data.classes does not list, such as ``NaN`` or a list of labels, with its first row.
    """
    for code, label in enumerate(table.found):
        if label in (given or ()):
            continue
        rows = np.flatnonzero(table.codes == code)
        if looks_like_list(label):
            row = 1 + table.layout.header + int(rows[0])
            raise InputError(f"{table.path}, row {row}: the class is the list {label!r}; {ONE_LABEL.format('class')}")
        if label.lower() not in (*MISSING, *_PERHAPS_MISSING):
            continue
        first, subject = 1 + table.layout.header + int(rows[0]), "row has" if len(rows) == 1 else "rows have"
        if label.lower() in MISSING:
            raise InputError(
                f"{table.path}, row {first}: {len(rows)} {subject} the class {label!r}, as programs write a missing "
                "value; leave these rows out, or list it in data.classes if it is a class"
            )
        yield f"{table.path.name}: {len(rows)} {subject} the class {label!r}, first in row {first}: a missing value?"


def _by_labels(train: TextTable) -> Naming:
    path, found, rows = train.path, train.found, len(train.codes)
    hint = f"is data.label the right column? It is {train.columns.shown(train.layout.label)}; {train.columns.fault()}"
    if len(found) < 2:
        raise InputError(f"{path} holds one class only, {found[0]!r}; {hint}")
    if len(found) > max(_FEW_ROWS, rows // 2):
        raise InputError(f"{path} holds {len(found)} classes in {rows} rows; {hint}")
    names = tuple(sorted(found, key=int) if all(map(is_count, found)) else sorted(found))
    return Naming(names, _by_name(names))


def _by_name(names: Sequence[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(names)}


def _counted(names: int, first: int) -> dict[str, int]:
    return {str(first + number): number for number in range(names)}


def is_count(label: str) -> bool:
    """Whether a label is a whole number."""
    return label.isascii() and label.isdecimal()


def looks_like_list(label: str) -> bool:
    """Whether a label is a list of several, as Python and JSON write it."""
    return _LIST.fullmatch(label) is not None


def _told(where: str, names: Sequence[str], numbered: Mapping[str, int]) -> str:
    first = next(iter(numbered))
    shown = ", ".join(f"{label} is {names[number]!r}" for label, number in list(numbered.items())[:_SHOWN])
    more = ", ..." if len(names) > _SHOWN else ""
    return f"{where} names the classes, counted from {first}: {shown}{more}"


def _each_once(where: str, names: Sequence[str]) -> tuple[str, ...]:
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"{where} names the class {twice!r} twice")
    return tuple(names)
