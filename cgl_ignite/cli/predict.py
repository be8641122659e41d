"""``cgl predict``: the classes of pictures, as a trained student sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cgl_ignite.cli.options import folder_option, json_option, plugins_option

__all__ = ["predict"]


@click.command()
@click.argument("file")
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--top", type=click.IntRange(min=1), default=3, show_default=True, help="How many classes to name.")
@json_option
@plugins_option
@folder_option
def predict(
    file: str, images: tuple[Path, ...], top: int, as_json: bool, plugins: tuple[str, ...], folder: Path
) -> None:
    """Name the classes of pictures.

    FILE is a student file, a run or a checkpoint. IMAGE is a picture of any size and colour, or a folder
    of them. Prints a line per picture: its path, then classes and their probabilities, the likeliest first,
    between tabs.
    """
    import json

    from rich.console import Console

    from cgl_ignite.export import import_plugins, load_student
    from cgl_ignite.student import find_pictures, logits, read_pictures

    import_plugins(plugins)
    paths = find_pictures(images)
    student, card = load_student(file, folder)
    inputs, scaled = read_pictures(paths, card)
    if scaled:
        note = f"{scaled} of {len(paths)} pictures scaled and cropped to {card.shape[2]} x {card.shape[1]}"
        Console(stderr=True).print(note, highlight=False, markup=False, soft_wrap=True)
    probabilities, numbers = logits(student, inputs).softmax(1).topk(min(top, len(card.classes)))
    named = [[card.classes[number] for number in row] for row in numbers.tolist()]
    predictions = list(zip(paths, named, probabilities.tolist(), strict=True))
    if as_json:
        click.echo(json.dumps({"predictions": [_entry(*one) for one in predictions]}))
        return
    for path, labels, shares in predictions:
        cells = [f"{label}\t{share:.4f}" for label, share in zip(labels, shares, strict=True)]
        click.echo("\t".join([str(path), *cells]))


def _entry(path: Path, labels: list[str], probabilities: list[float]) -> dict[str, Any]:
    best = [{"label": label, "probability": p} for label, p in zip(labels, probabilities, strict=True)]
    return {"path": str(path), **best[0], "next": best[1:]}
