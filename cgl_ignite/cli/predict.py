"""``cgl predict``: the classes of pictures or texts, as a trained student sees them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cgl_ignite.cli.options import folder_option, json_option, plugins_option

if TYPE_CHECKING:
    from torch import Tensor, nn

    from cgl_ignite.student import Card

__all__ = ["predict"]


@click.command()
@click.argument("file")
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@click.option("--top", type=click.IntRange(min=1), default=3, show_default=True, help="How many classes to name.")
@json_option
@plugins_option
@folder_option
def predict(
    file: str, inputs: tuple[str, ...], top: int, as_json: bool, plugins: tuple[str, ...], folder: Path
) -> None:
    """Name the classes of pictures or of texts.

    FILE is a student file, a run or a checkpoint. INPUT is what the student reads: a picture of any size and
    colour, or a folder of them; a text in quotes, a .txt file with a text per line, or - for the lines of
    standard input. Prints a line for each: its path or the text, then classes and their probabilities, the
    likeliest first, between tabs.
    """
    import json

    from cgl_ignite.export import import_plugins, load_student

    import_plugins(plugins)
    student, card = load_student(file, folder)
    key, read = ("text", _read_texts) if card.modality == "text" else ("path", _read_pictures)
    names, answers = read(inputs, student, card)
    shares, numbers = answers.softmax(1).topk(min(top, len(card.classes)))
    labels = [[card.classes[number] for number in row] for row in numbers.tolist()]
    if as_json:
        entries = map(_entry, labels, shares.tolist())
        predictions = [{key: name, **entry} for name, entry in zip(names, entries, strict=True)]
        click.echo(json.dumps({"predictions": predictions}))
        return
    for name, row, probabilities in zip(names, labels, shares.tolist(), strict=True):
        cells = [f"{label}\t{share:.4f}" for label, share in zip(row, probabilities, strict=True)]
        click.echo("\t".join([" ".join(name.split()) if key == "text" else name, *cells]))


def _read_pictures(places: Sequence[str], student: nn.Module, card: Card) -> tuple[list[str], Tensor]:
    from rich.console import Console

    from cgl_ignite.student import find_pictures, logits, read_pictures

    paths = find_pictures(map(Path, places))
    inputs, scaled = read_pictures(paths, card)
    if scaled:
        note = f"{scaled} of {len(paths)} pictures scaled and cropped to {card.shape[2]} x {card.shape[1]}"
        Console(stderr=True).print(note, highlight=False, markup=False, soft_wrap=True)
    return list(map(str, paths)), logits(student, inputs)


def _read_texts(given: Sequence[str], student: nn.Module, card: Card) -> tuple[list[str], Tensor]:
    from cgl_ignite.student import answer_texts, read_texts

    texts = read_texts(given)
    return texts, answer_texts(student, texts)


def _entry(labels: list[str], probabilities: list[float]) -> dict[str, Any]:
    best = [{"label": label, "probability": p} for label, p in zip(labels, probabilities, strict=True)]
    return {**best[0], "next": best[1:]}
