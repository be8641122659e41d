"""``cgl predict``: the classes of pictures or texts, as a trained student sees them."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from cgl_ignite.cli.options import folder_option, json_option, plugins_option
from cgl_ignite.errors import CglError, InputError, Unreadable, escaped, listed

if TYPE_CHECKING:
    from torch import Tensor, nn

    from cgl_ignite.student import Card
    from cgl_ignite.student.naming import Wording

__all__ = ["predict"]

Asked: TypeAlias = "list[str | Unreadable]"


@click.command()
@click.argument("file")
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@click.option("--top", type=click.IntRange(min=1), help="How many classes to name; default: 3, or all labels of a row.")
@click.option("--threshold", type=click.FloatRange(0, 1), help="Name labels above this probability; default: 0.5.")
@click.option("--column", "columns", metavar="NAME", multiple=True, help="INPUT is tables: read this column.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Write a .csv or .jsonl file with a row for each."
)
@click.option("--probabilities", is_flag=True, help="With -o: write the probabilities of all classes.")
@json_option
@plugins_option
@folder_option
def predict(
    file: str,
    inputs: tuple[str, ...],
    top: int | None,
    threshold: float | None,
    columns: tuple[str, ...],
    output: Path | None,
    probabilities: bool,
    as_json: bool,
    plugins: tuple[str, ...],
    folder: Path,
) -> None:
    """Name the classes of pictures or of texts.

    FILE is a student file, a run or a checkpoint. INPUT is what the student reads: a picture of any size and
    colour, or a folder of them; a text in quotes, a .txt file with a text per line, or - for the lines of
    standard input. Prints a line for each: its path or the text, then classes and their probabilities, the
    likeliest first, between tabs. A student that knows several labels per row names all whose probability exceeds
    the threshold, and none if there is none. In the line of an input that cannot be read stands the error instead, and
    the exit code is 1; it is 2, and nothing is printed, if none can be read.

    With --column, INPUT is tables (CSV, TSV, Parquet, Arrow, JSON Lines; patterns too) with a column of texts or of
    paths of pictures. With -o, the answers are written to a file in the order of the rows, any number of them.
    """
    from cgl_ignite.plugins import import_plugins
    from cgl_ignite.runs import load_student
    from cgl_ignite.student.naming import THRESHOLD, WORDINGS

    import_plugins(plugins)
    student, card = load_student(file, folder)
    if threshold is not None and not WORDINGS[card.task].thresholded:
        raise InputError("--threshold is for students that know several labels per row; this one names one class")
    above = THRESHOLD if threshold is None else threshold
    if output is None and (columns or probabilities):
        raise InputError("--column and --probabilities need -o, the file to write: -o answers.csv")
    if output is None:
        _print(student, card, inputs, top, above, as_json=as_json)
        return
    from cgl_ignite.cli.predicting import predict_to_file

    rows, faults = predict_to_file(student, card, inputs, columns, output, above, probabilities=probabilities)
    if as_json:
        click.echo(json.dumps({"file": str(output), "rows": rows, "errors": faults}))
    if faults:
        raise CglError(f"{faults} of {rows} rows could not be read; {output} has the error of each")


def _print(
    student: nn.Module, card: Card, inputs: Sequence[str], top: int | None, threshold: float, *, as_json: bool
) -> None:
    from cgl_ignite.student.naming import WORDINGS

    wording = WORDINGS[card.task]
    key, ask = ("text", _ask_texts) if card.modality == "text" else ("path", _ask_pictures)
    asked, answers = ask(inputs, student, card)
    shares = card.labelled.probabilities(answers)
    entries = (wording.entry(row, card.classes, top, threshold) for row in shares)
    rows = [
        {key: one.name, "error": one.fault} if isinstance(one, Unreadable) else {key: one, **next(entries)}
        for one in asked
    ]
    if as_json:
        click.echo(json.dumps({"predictions": rows}, allow_nan=False))
    else:
        click.echo("\n".join(_line(key, row, wording) for row in rows))
    if faults := sum("error" in row for row in rows):
        what = "files" if key == "path" else "texts and files"
        raise CglError(f"{faults} of {len(rows)} {what} could not be read")


def _ask_pictures(places: Sequence[str], student: nn.Module, card: Card) -> tuple[Asked, Tensor]:
    """Return the path of each picture, or what is wrong with it, and the answers to those that can be read."""
    import torch

    from cgl_ignite.cli.notes import show_notes
    from cgl_ignite.student import find_pictures, logits, read_pictures

    found, notes = find_pictures(map(Path, places))
    read = read_pictures(found, card)
    good = [one for one in read if not isinstance(one, Unreadable)]
    if scaled := sum(fitted for _, fitted in good):
        form = f"{card.shape[2]} x {card.shape[1]}"
        notes = (*notes, f"{scaled} of {len(good)} pictures scaled and cropped to {form}")
    asked: Asked = [two if isinstance(two, Unreadable) else str(one) for one, two in zip(found, read, strict=True)]
    _check_any(asked)
    show_notes(notes)
    return asked, logits(student, torch.stack([picture for picture, _ in good]))


def _ask_texts(given: Sequence[str], student: nn.Module, card: Card) -> tuple[Asked, Tensor]:
    """Return each text, or what is wrong with its file, and the answers to those that can be read."""
    from cgl_ignite.student import answer_texts, read_texts

    asked = read_texts(given)
    _check_any(asked)
    return asked, answer_texts(student, [one for one in asked if not isinstance(one, Unreadable)])


def _check_any(asked: Asked) -> None:
    if all(isinstance(one, Unreadable) for one in asked):
        raise InputError(listed(asked))


def _line(key: str, row: dict[str, Any], wording: Wording) -> str:
    name = escaped(" ".join(row[key].split()) if key == "text" else os.fsencode(row[key]).decode("utf-8", "replace"))
    if "error" in row:
        return f"{name}\terror: {escaped(row['error'])}"
    cells = [f"{escaped(answer['label'])}\t{answer['probability']:.4f}" for answer in wording.cells(row)]
    return "\t".join([name, *cells])
