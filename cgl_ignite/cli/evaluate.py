"""``cgl evaluate``: a trained student, or all students of a run together, on the test part of a data set."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cgl_ignite.cli.options import folder_option, json_option, plugins_option
from cgl_ignite.errors import InputError

if TYPE_CHECKING:
    from cgl_ignite.ensemble import MeasuredEnsemble

__all__ = ["evaluate"]

REPORT_FILES = ("report.html", "report.md", "report.json", "confusion.png", "reliability.png", "mistakes.png")
"""What a report may consist of; nothing else in its folder is stored with a run."""


@click.command()
@click.argument("file")
@click.argument("data", required=False)
@click.option("--root", type=click.Path(path_type=Path), help="Folder of the data sets; default: $CGL_DATA.")
@click.option("--limit", type=click.IntRange(min=1), help="Take at most this many test rows.")
@click.option("--ensemble", is_flag=True, help="Measure all students of a run together, beside each alone.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Where to compute.")
@click.option("--report", type=click.Path(path_type=Path, file_okay=False), help="Write a report to this folder.")
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
    report: Path | None,
    as_json: bool,
    plugins: tuple[str, ...],
    folder: Path,
) -> None:
    """Measure a trained student on a data set.

    FILE is a student file, a run or a checkpoint. DATA is a kind of data set (see: cgl data list), a folder with
    a folder per class, or a table of texts. Its test part is used; of a folder or table that has none, and that the
    student was not trained on, everything.

    With --report a page is written in HTML and in Markdown, with a table of the classes, the confusion matrix, the
    reliability diagram and the surest mistakes. If FILE is a run, it is stored with it in MLflow, too.

    With --ensemble FILE is a run, and DATA may be left out: then it is the test part that the run was tested on. The
    ensemble predicts the mean of the students' probabilities.
    """
    from cgl_ignite.cli.output import say
    from cgl_ignite.pipeline.device import find_device
    from cgl_ignite.plugins import import_plugins

    if data is None and not ensemble:
        raise click.MissingParameter(param_type="argument", param_hint="'DATA'")
    if report is not None and ensemble:
        raise click.UsageError("--report is about one student, not about an ensemble")
    import_plugins(plugins)
    measure = _ensemble if ensemble else partial(_student, report=report)
    found, lines = measure(file, folder, data, root, limit, find_device(device))
    click.echo(json.dumps(found)) if as_json else say("\n".join(lines))


def _student(
    file: str, folder: Path, data: Any, root: Path | None, limit: int | None, device: Any, report: Path | None
) -> tuple[dict[str, Any], Iterable[str]]:
    """Measure one student, and report on it; return everything, and the lines for people."""
    from cgl_ignite.analysis.label_evaluation import EVALUATIONS
    from cgl_ignite.cli.notes import show_notes
    from cgl_ignite.cli.reading import reading
    from cgl_ignite.page.evaluation_page import MOST_MISTAKES
    from cgl_ignite.runs import load_student
    from cgl_ignite.student import read_test_part, tokenizer_of
    from cgl_ignite.student.score import judge, logits

    student, card = load_student(file, folder, device)
    with reading(quiet=False):
        examples = read_test_part(data, card, root, limit, tokenizer_of(student), show_notes)
    answers = logits(student, examples.inputs, device)
    measured = judge(answers, examples.labels, card.labelled)
    evaluation = EVALUATIONS[card.task](answers, examples.labels, card.classes)
    facts = {"run_id": card.run_id, "student": card.student, "epoch": card.epoch, "data": data, **asdict(measured)}
    lines = [
        f"accuracy       {measured.accuracy:.2f} %",
        f"cross-entropy  {measured.cross_entropy:.4f}",
        *(f"{name:<13}  {value}" for name, value in evaluation.brief()),
        f"n              {measured.n}",
    ]
    if report is not None:
        page = _write_report(report, card.task, evaluation, examples, tokenizer_of(student), facts)
        lines.append(f"report         {page}")
        if not Path(file).is_file():
            _store_report(report, card.run_id, folder, f"evaluation/{Path(data).name}")
    return {**facts, **evaluation.tree(MOST_MISTAKES)}, lines


def _write_report(
    report: Path, task: str, evaluation: Any, examples: Any, tokenizer: Any, facts: dict[str, Any]
) -> Path:
    """Write the files of a report and return its page."""
    from cgl_ignite.page.label_evaluation import REPORTS
    from cgl_ignite.tracking.files import write_atomically

    files = REPORTS[task](evaluation, examples, tokenizer, facts)
    try:
        for name, content in files.items():
            write_atomically(report / name, content)
    except OSError as error:
        raise InputError(f"the report cannot be written to {report} ({error.strerror})") from error
    return report / next(iter(files))


def _store_report(report: Path, run_id: str, folder: Path, place: str) -> None:
    """Store the files of a report with the run in MLflow; say so if that fails, as they are there."""
    from cgl_ignite.cli.output import SafeConsole
    from cgl_ignite.pipeline.find import find_run
    from cgl_ignite.tracking import TrackerError, locate, make_tracker

    console = SafeConsole(stderr=True, highlight=False)
    tell = partial(console.print, markup=False, soft_wrap=True)
    store = locate(folder, find_run(folder / "runs", run_id).read_setting().get("tracking", {}).get("uri"))
    tracker = make_tracker(store, tell)
    try:
        for file in sorted(report.iterdir()):
            if file.name in REPORT_FILES:
                tracker.file(run_id, file, place)
    except TrackerError as error:
        tell(f"note: the report is not stored in {store.uri}: {error}")
    else:
        tell(f"stored with run {run_id} in {store.uri}")


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
