"""Tables whose rows have several labels: in one cell with a separator between them, or as a list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from cgl_ignite.data.text.tables.classes import MISSING, Naming, is_count, looks_like_list
from cgl_ignite.data.text.tables.table import TextTable
from cgl_ignite.data.text.tables.typed import LISTED
from cgl_ignite.errors import InputError, choices

__all__ = ["labels_in", "name_label_sets"]

_MANY = 12


def labels_in(cell: str, separator: str) -> frozenset[str]:
    """Return the labels of a row, without white space around them; an empty cell has none.

    Example:
        >>> sorted(labels_in("late; rude;", ";")), labels_in("", ";")
        (['late', 'rude'], frozenset())
    """
    found = cell.split(LISTED if cell.startswith(LISTED) else separator)
    return frozenset(filter(None, map(str.strip, found)))


def name_label_sets(
    train: TextTable, tables: Iterable[TextTable], given: Sequence[str] | None, separator: str
) -> Naming:
    """Name the classes, as given or by the labels of the training part, and number all sets of labels.

    Raises:
        InputError: fewer than two classes, a label that is not one of them or stands for a missing value, a list that
            is written as text, or not a single row with several labels though the classes are not given.
    """
    classes = tuple(given or _found(train, separator))
    if not given:
        _check_several(train, separator)
    if len(classes) < 2:
        raise InputError(f"{train.path} holds fewer than two labels: {', '.join(map(repr, classes)) or 'none'}")
    places = {name: number for number, name in enumerate(classes)}
    sets: dict[str, tuple[int, ...]] = {}
    for table in tables:
        for code, cell in enumerate(table.found):
            labels = labels_in(cell, separator)
            for fault in _faults(cell, labels, places, separator):
                row = 1 + table.layout.header + int((table.codes == code).argmax())
                raise InputError(f"{table.path}, row {row}: {fault}")
            sets[cell] = tuple(sorted(places[label] for label in labels))
    ordered = sorted({*sets.values()})
    numbers = {held: number for number, held in enumerate(ordered)}
    return Naming(classes, {cell: numbers[held] for cell, held in sets.items()}, label_sets=tuple(ordered))


def _found(train: TextTable, separator: str) -> list[str]:
    names = {label for cell in train.found for label in labels_in(cell, separator)}
    return sorted(names, key=int) if all(map(is_count, names)) else sorted(names)


def _check_several(train: TextTable, separator: str) -> None:
    """Refuse labels that are texts with one label each: perhaps the separator is another one."""
    if not any(cell.startswith(LISTED) or len(labels_in(cell, separator)) > 1 for cell in train.found):
        shown = choices([cell for cell in train.found if cell][:3])
        raise InputError(
            f"{train.path}: no row has several labels with {separator!r} between them, they are such as {shown};"
            " give data.label_separator, or leave data.task out if each row has one class"
        )


def _faults(cell: str, labels: frozenset[str], places: dict[str, int], separator: str) -> Iterator[str]:
    if looks_like_list(cell):
        yield f"the labels {cell!r} are a list written as text; put {separator!r} between them (data.label_separator)"
    for label in sorted(labels - places.keys()):
        known = choices(places) if len(places) <= _MANY else f"one of {len(places)} classes"
        yield f"the label {label!r} is not {known}"
    for label in sorted(labels):
        if label.lower() in MISSING and len(labels) == 1:
            yield f"the label {label!r} is what programs write for a missing value; leave the cell empty"
