"""``cgl predict`` for many rows: from tables and folders to a file of CSV or JSON Lines, in batches."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from cgl_ignite.errors import InputError, Unreadable, listed

if TYPE_CHECKING:
    from torch import nn

    from cgl_ignite.student import Answer, Card, Question

__all__ = ["FORMS", "predict_to_file"]

FORMS = (".csv", ".jsonl")
"""Endings of the files that can be written."""

_SHOWN = 10


def predict_to_file(
    student: nn.Module,
    card: Card,
    inputs: Sequence[str],
    columns: Sequence[str],
    target: Path,
    threshold: float,
    *,
    probabilities: bool,
) -> tuple[int, int]:
    """Write a row for each row of tables, each picture or each text, and return how many there are and how many failed.

    Of a student that knows several labels per row, those above the threshold stand in one cell, separated as in the
    tables that it was trained on, or in a list. The file appears when it is complete.

    Raises:
        InputError: an ending that is neither of :data:`FORMS`, no row that can be read, or a file that cannot be
            written.
    """
    from cgl_ignite.cli.reading import reading
    from cgl_ignite.student import answers
    from cgl_ignite.tracking.files import writing_atomically

    ending = target.suffix.lower()
    if ending not in FORMS:
        raise InputError(f"-o {target}: the name must end with {' or '.join(FORMS)}")
    key = "text" if card.modality == "text" else "path"
    rows, faults = 0, list[str]()
    try:
        with reading(quiet=False), writing_atomically(target) as file:
            write = _writer(file, ending, key, card, threshold, card.classes if probabilities else ())
            for rows, answer in enumerate(answers(student, card, _questions(inputs, columns, card)), start=1):
                write(rows, answer)
                if answer.fault is not None:
                    faults.append(f"row {rows}: {answer.name} {answer.fault}")
            if len(faults) == rows:
                raise InputError(listed(faults, _SHOWN) if faults else "there is no row to read in what was given")
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror or error}") from error
    return rows, len(faults)


def _questions(inputs: Sequence[str], columns: Sequence[str], card: Card) -> Iterator[Question]:
    from cgl_ignite.cli.notes import show_notes
    from cgl_ignite.progress import report
    from cgl_ignite.student import find_pictures, read_texts
    from cgl_ignite.student.cells import Cells

    if columns:
        rows = 0
        for table, cell, done in Cells(inputs, columns, card.dataset.options):
            report("predicting", rows, min(done, 0.999))
            rows += 1
            empty = Unreadable("the cell", "is empty")
            value = cell if card.modality == "text" else table.parent / Path(cell).expanduser()
            yield cell, value if cell.strip() else empty
        report("predicting", rows, 1.0)
    elif card.modality == "text":
        for text in read_texts(inputs):
            yield (text.name if isinstance(text, Unreadable) else text), text
    else:
        found, notes = find_pictures(map(Path, inputs))
        show_notes(notes)
        for row, one in enumerate(found):
            report("predicting", row, min(row / len(found), 0.999))
            yield (one.name if isinstance(one, Unreadable) else str(one)), one
        report("predicting", len(found), 1.0)


def _writer(
    file: IO[str], ending: str, key: str, card: Card, threshold: float, shares: Sequence[str]
) -> Callable[[int, Answer], None]:
    """Write the head of a file, and return what writes a row; ``shares`` are the classes whose probability is told."""
    from cgl_ignite.student.naming import WORDINGS

    wording, between = WORDINGS[card.task], card.dataset.options.get("label_separator") or ";"
    told = ["row", key, *wording.keys, "error"]
    keys = [*told, *(f"probability of {name}" for name in shares)]
    table = csv.writer(file, lineterminator="\n")
    if ending == ".csv":
        table.writerow(map(_printable, keys))

    def write(row: int, answer: Answer) -> None:
        facts: dict[str, Any] = {"row": row, key: _printable(answer.name)}
        known: list[float] = []
        if answer.probabilities is None:
            facts["error"] = _printable(answer.fault or "")
        else:
            known = answer.probabilities.tolist()
            entry = wording.entry(answer.probabilities, card.classes, None, threshold)
            facts |= {name: entry[name] for name in wording.keys}
        if ending == ".csv":
            cells = [_joined(facts.get(name, ""), between) for name in told] + _cells(known, shares)
            table.writerow([f"{cell:.6g}" if isinstance(cell, float) else cell for cell in cells])
            return
        if shares and known:
            facts["probabilities"] = dict(zip(shares, known, strict=True))
        file.write(json.dumps(facts, allow_nan=False) + "\n")

    return write


def _joined(value: Any, between: str) -> Any:
    """Write labels into one cell; leave everything else as it is."""
    return between.join(one["label"] for one in value) if isinstance(value, list) else value


def _cells(known: Sequence[float], shares: Sequence[str]) -> list[float | str]:
    return [known[number] if known else "" for number in range(len(shares))]


def _printable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
