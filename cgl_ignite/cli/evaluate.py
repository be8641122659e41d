"""``cgl evaluate``: a trained student, or all students of a run together, on the test part of a data set."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cgl_ignite.cli.options import folder_option, json_option, plugins_option

if TYPE_CHECKING:
    from cgl_ignite.ensemble import MeasuredEnsemble

__all__ = ["evaluate"]


@click.command()
@click.argument("file")
@click.argument("data", required=False)
@click.option("--root", type=click.Path(path_type=Path), help="Folder of the data sets; default: $CGL_DATA.")
@click.option("--limit", type=click.IntRange(min=1), help="Take at most this many test rows.")
@click.option("--ensemble", is_flag=True, help="Measure all students of a run together, beside each alone.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Where to compute.")
@json_option
@plugins_option
@folder_option
def evaluate(
    file: str,
    data: str | None,
    root: Path | None,
    limit: int | None,
    ensemble: bool,
    device: str,
    as_json: bool,
    plugins: tuple[str, ...],
    folder: Path,
) -> None:
    """Measure a trained student on a data set.

    FILE is a student file, a run or a checkpoint. DATA is a kind of data set (see: cgl data list), a folder with
    a folder per class, or a table of texts. Its test part is used; of a folder or table that has none, and that the
    student was not trained on, everything.

    With --ensemble FILE is a run, and DATA may be left out: then it is the test part that the run was tested on. The
    ensemble predicts the mean of the students' probabilities.
    """
    from cgl_ignite.cli.output import say
    from cgl_ignite.pipeline.device import find_device
    from cgl_ignite.plugins import import_plugins

    if data is None and not ensemble:
        raise click.MissingParameter(param_type="argument", param_hint="'DATA'")
    import_plugins(plugins)
    measure = _ensemble if ensemble else _student
    found, lines = measure(file, folder, data, root, limit, find_device(device))
    click.echo(json.dumps(found)) if as_json else say("\n".join(lines))


def _student(
    file: str, folder: Path, data: Any, root: Path | None, limit: int | None, device: Any
) -> tuple[dict[str, Any], Iterable[str]]:
    """Measure one student; return everything, and the lines for people."""
    from cgl_ignite.cli.notes import show_notes
    from cgl_ignite.cli.reading import reading
    from cgl_ignite.runs import load_student
    from cgl_ignite.student import measure, read_test_part, tokenizer_of

    student, card = load_student(file, folder, device)
    with reading(quiet=False):
        examples = read_test_part(data, card, root, limit, tokenizer_of(student), show_notes)
    measured = measure(student, examples, device)
    found = {"run_id": card.run_id, "student": card.student, "epoch": card.epoch, "data": data, **asdict(measured)}
    return found, (
        f"accuracy       {measured.accuracy:.2f} %",
        f"cross-entropy  {measured.cross_entropy:.4f}",
        f"n              {measured.n}",
    )


def _ensemble(
    file: str, folder: Path, data: str | None, root: Path | None, limit: int | None, device: Any
) -> tuple[dict[str, Any], Iterable[str]]:
    """Measure all students of a run together; return everything, and the lines for people."""
    from cgl_ignite.cli.notes import show_notes
    from cgl_ignite.cli.reading import reading
    from cgl_ignite.ensemble import measure_ensemble
    from cgl_ignite.runs import open_pool
    from cgl_ignite.student import read_test_part

    run = open_pool(file, folder)
    card, trained = run.card(run.selected[1]), run.facts["pipeline"]["data"]
    if data is None:
        data, limit = card.dataset.kind, limit or trained.get("limit")
        root = root or (Path(trained["root"]) if trained.get("root") else None)
    with reading(quiet=False):
        examples = read_test_part(data, card, root, limit, run.tokenizer, show_notes)
    measured = measure_ensemble(run, examples, device)
    described = {"run_id": card.run_id, "epoch": card.epoch, "data": data, "students": run.students}
    return {**described, **_values(measured)}, _lines(measured)


def _values(measured: MeasuredEnsemble) -> dict[str, Any]:
    scores = measured.scores
    return {
        "n": scores.n,
        "ensemble": scores.ensemble._asdict(),
        "selected": {"student": scores.selected, **scores.students[scores.selected]._asdict()},
        "best": {"student": scores.best, **scores.students[scores.best]._asdict()},
        "mean": scores.mean._asdict(),
        "ensemble_minus_selected": {"accuracy": scores.difference, "interval": list(scores.interval)},
        "multiply_adds": measured.multiply_adds,
        "multiply_adds_student": measured.multiply_adds_student,
        "cost": measured.cost,
    }


def _lines(measured: MeasuredEnsemble) -> Iterator[str]:
    scores = measured.scores
    rows = {
        "ensemble": (scores.ensemble, f"mean prediction of {len(scores.students)} students"),
        "selected student": (scores.students[scores.selected], f"student {scores.selected}"),
        "best student": (scores.students[scores.best], f"student {scores.best}, the best on these very samples"),
        "mean of students": (scores.mean, ""),
    }
    yield f"{'':<16}  accuracy  cross-entropy"
    for name, (score, remark) in rows.items():
        yield f"{name:<16}  {score.accuracy:6.2f} %  {score.cross_entropy:13.4f}  {remark}".rstrip()
    low, high = scores.interval
    yield (
        f"difference        {scores.difference:+.2f} points from the selected student to the ensemble,"
        f" 95 % interval over samples [{low:+.2f}, {high:+.2f}]"
    )
    yield (
        f"inference         {measured.cost:.2f} times the multiply-adds of one student"
        f" ({measured.multiply_adds:,} an input, shared prefixes once)"
    )
    yield f"n                 {scores.n}"
