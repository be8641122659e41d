"""``cgl evaluate``: a trained student on the test part of a data set."""

from __future__ import annotations

from pathlib import Path

import click

from cgl_ignite.cli.options import folder_option, json_option, plugins_option

__all__ = ["evaluate"]


@click.command()
@click.argument("file")
@click.argument("data")
@click.option("--root", type=click.Path(path_type=Path), help="Folder of the data sets; default: $CGL_DATA.")
@click.option("--limit", type=click.IntRange(min=1), help="Take at most this many test rows.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Where to compute.")
@json_option
@plugins_option
@folder_option
def evaluate(
    file: str,
    data: str,
    root: Path | None,
    limit: int | None,
    device: str,
    as_json: bool,
    plugins: tuple[str, ...],
    folder: Path,
) -> None:
    """Measure a trained student on a data set.

    FILE is a student file, a run or a checkpoint. DATA is a kind of data set (see: cgl data list), a folder with
    a folder per class, or a table of texts. Its test part is used; of a folder or table that has none, and that the
    student was not trained on, everything.
    """
    import json
    from dataclasses import asdict

    from cgl_ignite.cli.notes import show_notes
    from cgl_ignite.cli.reading import reading
    from cgl_ignite.pipeline.device import find_device
    from cgl_ignite.plugins import import_plugins
    from cgl_ignite.runs import load_student
    from cgl_ignite.student import measure, read_test_part, tokenizer_of

    import_plugins(plugins)
    place = find_device(device)
    student, card = load_student(file, folder, place)
    with reading(quiet=False):
        examples = read_test_part(data, card, root, limit, tokenizer_of(student), show_notes)
    measured = measure(student, examples, place)
    if as_json:
        described = {"run_id": card.run_id, "student": card.student, "epoch": card.epoch, "data": data}
        click.echo(json.dumps({**described, **asdict(measured)}))
        return
    click.echo(f"accuracy       {measured.accuracy:.2f} %")
    click.echo(f"cross-entropy  {measured.cross_entropy:.4f}")
    click.echo(f"n              {measured.n}")
