"""What a page says, as plain values and figures."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import chain, count
from pathlib import Path
from typing import ClassVar

from cgl_ignite.analysis.columns import used_columns
from cgl_ignite.analysis.comparison import TableRow
from cgl_ignite.analysis.notes import notes
from cgl_ignite.analysis.paper import STATEMENT
from cgl_ignite.page.analysed import AnalysedPart, analysed_parts
from cgl_ignite.page.parts import Grid, Picture
from cgl_ignite.page.sentences import findings, question, title
from cgl_ignite.page.setting import common_setting, deviations_from_paper, differing_values, portable_toml
from cgl_ignite.page.source import PageRun, Source, open_source

__all__ = ["Page", "gather", "title_of_picture", "unfinished"]

COSTS = ("parameters", "training time", "MAdds per", "training MAdds", "optimizer steps")
"""Beginnings of the heads of the columns that tell what a method costs."""
KNOWN_OF_RUNS = COSTS[:2]
"""Those that are known without a comparison."""
PAPER = "the paper's"
PICTURES = {
    "axis_accuracy.png": "Test accuracy along the axis",
    "axis_diversity.png": "Diversity of the students along the axis",
    "axis_parameters.png": "Parameters of all students along the axis",
    "axis_cost.png": "Multiply-adds of training along the axis",
    "accuracy.png": "Test accuracy of the selected student",
    "holdout.png": "Holdout accuracy during training",
    "cost.png": "Test accuracy against the multiply-adds of training",
    "diversity.png": "Diversity of the students during training",
    "agreement.png": "Agreement of the students on the test part",
}
GRID = "Test accuracy over the grid"


@dataclass(frozen=True)
class Page:
    """What a page says, section by section.

    Attributes:
        missing: the runs that are not finished, and why.
        seconds: the training time of all runs together; ``cost``: what each method costs.
        findings: the result in sentences.
        figures: the pictures of the comparison; ``analyses``: what else was measured of its runs.
        paper: ours beside the paper's, for methods in the paper's setting; ``deviations``: why others are not there.
        commands: what repeats the runs; ``pipelines``: the files that they read, by name.
        surroundings: versions, hardware and commit, with the runs that they hold for.
    """

    template: ClassVar[str] = "page"

    title: str
    question: str
    finished: int
    missing: Grid
    setting: Sequence[tuple[str, str]]
    differing: Grid
    findings: Sequence[str]
    table: Grid
    notes: Sequence[str]
    figures: Sequence[Picture]
    analyses: Sequence[AnalysedPart]
    seconds: str
    cost: Grid
    paper: Grid
    statement: str
    deviations: Grid
    commands: Sequence[str]
    pipelines: Mapping[str, str]
    runs: Grid
    surroundings: Sequence[tuple[str, Grid]]
    source: Source

    @property
    def pictures(self) -> list[Picture]:
        """All pictures of the page."""
        return [*self.figures, *(picture for part in self.analyses for picture in part.pictures)]


def gather(which: Sequence[str], folder: Path) -> Page:
    """Gather what a page says about a comparison, or about runs.

    Args:
        which: one comparison, or finished runs.
        folder: the tracking folder.

    Raises:
        InputError: nothing of this name, nothing that is finished, or damaged files.
    """
    source = open_source(which, folder)
    report, first = source.report, source.finished[0]
    rows, paper, deviations = _beside_paper(source, report.rows)
    names, differing = differing_values(source)
    seeds = sorted({run.seed for run in source.runs})
    return Page(
        title=title(source),
        question=question(source),
        finished=len(source.finished),
        missing=unfinished(source.missing),
        setting=[*common_setting(first), ("seeds", ", ".join(map(str, seeds)))],
        differing=_narrow(Grid(("key", *names), differing)),
        findings=list(findings(rows, report.reference)),
        table=_table(rows, report.reference, lambda head: not head.startswith((*COSTS, PAPER))),
        notes=[note for note in notes(rows, source.equal) if note != STATEMENT],
        figures=[
            Picture.drawn(Path(name).stem, title_of_picture(name), figure) for name, figure in report.figures().items()
        ],
        analyses=analysed_parts(source),
        seconds=_duration(sum(run.train_seconds for run in report.runs)),
        cost=_table(rows, report.reference, lambda head: head.startswith(COSTS if source.costs else KNOWN_OF_RUNS)),
        paper=Grid(("method", "ours, %", "the paper's, %", "difference"), paper),
        statement=STATEMENT,
        deviations=Grid(("method", "not in the paper's setting"), deviations),
        commands=list(_commands(source)),
        pipelines={file: portable_toml(_first_runs(source)[name]) for name, file in _files(source).items()},
        runs=Grid(("method", "seed", "run", "test accuracy, %"), [_run(run) for run in source.finished]),
        surroundings=list(_surroundings(source)),
        source=source,
    )


def title_of_picture(name: str) -> str:
    """Say what a figure of a comparison shows, by the name of its file."""
    return GRID if name.startswith("grid_") else PICTURES[name]


def _narrow(grid: Grid) -> Grid:
    """Turn a table on its side if it has more columns than rows."""
    if not grid.rows or len(grid.heads) - 1 <= len(grid.rows):
        return grid
    first, *others = zip(grid.heads, *grid.rows, strict=True)
    return Grid(("row", *first[1:]), others)


def _table(rows: Sequence[TableRow], reference: str, shown: Callable[[str], bool]) -> Grid:
    """Take some columns of the table of a comparison, after its first one, which names the method."""
    columns = [(" ".join(filter(None, title)), cells) for title, cells, _ in used_columns(rows, reference)]
    kept = [(head, cells) for place, (head, cells) in enumerate(columns) if place == 0 or shown(head)]
    return Grid([head for head, _ in kept], list(zip(*(cells for _, cells in kept), strict=True)))


def _beside_paper(
    source: Source, rows: Sequence[TableRow]
) -> tuple[list[TableRow], list[tuple[str, ...]], list[tuple[str, str]]]:
    """Keep the paper's number only for methods in the paper's setting; tell of the others what differs."""
    kept, beside, deviating = [], [], []
    runs = _first_runs(source)
    for row in rows:
        found = (
            deviations_from_paper(runs[row.method], _own_keys(source, row.method))
            if row.paper and row.method in runs
            else None
        )
        if row.paper and row.accuracy and found == []:
            beside.append(_beside(row))
            kept.append(row)
            continue
        if found:
            deviating.append((row.method, "; ".join(found)))
        kept.append(replace(row, paper=None))
    return kept, beside, deviating


def _own_keys(source: Source, name: str) -> list[str]:
    """Name the keys in which a row of a table of the paper is meant to differ from the paper's common setting."""
    place = source.places.get(name) if source.paper else None
    return [*place.changes, *place.swept] if place else []


def _beside(row: TableRow) -> tuple[str, ...]:
    ours, printed = row.accuracy, row.paper
    if ours is None or printed is None:
        return (row.method,)
    spread = "" if ours.std is None else f" ± {ours.std:.2f}"
    theirs = f"{printed.mean:.2f} ± {printed.std:.2f}"
    return row.method, f"{ours.mean:.2f}{spread}", theirs, f"{ours.mean - printed.mean:+.2f}"


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))


def unfinished(runs: Sequence[PageRun]) -> Grid:
    """Name runs that are not finished, what they are instead and, if any of them has failed, why."""
    rows = [(f"{run.method} seed {run.seed}", run.status, run.reason) for run in runs]
    if any(run.reason for run in runs):
        return Grid(("run", "state", "reason"), rows)
    return Grid(("run", "state"), [row[:2] for row in rows])


def _first_runs(source: Source) -> dict[str, PageRun]:
    return {name: done[0] for name, runs in source.methods.items() if (done := [run for run in runs if run.folder])}


def _files(source: Source) -> dict[str, str]:
    """Name a pipeline file for each method; names that differ in special characters alone get numbers."""
    files: dict[str, str] = {}
    for name in _first_runs(source):
        plain = "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in name)
        numbered = (f"{plain}_{number}.toml" for number in count(2))
        files[name] = next(file for file in chain([f"{plain}.toml"], numbered) if file not in files.values())
    return files


def _commands(source: Source) -> Iterator[str]:
    """Write one command for each method: its runs with the same seeds give the same numbers on the same machine."""
    for name, file in _files(source).items():
        seeds = [part for run in source.methods[name] for part in ("--seed", str(run.seed))]
        yield shlex.join(["cgl", "run", file, *seeds])


def _run(run: PageRun) -> tuple[str, ...]:
    accuracy = json.loads(run.folder.result.read_text("utf-8"))["test_accuracy"] if run.folder else float("nan")
    return run.method, str(run.seed), run.folder.run_id if run.folder else "", f"{accuracy:.2f}"


def _surroundings(source: Source) -> Iterator[tuple[str, Grid]]:
    """Name versions, hardware and commit once for all runs that share them."""
    groups: dict[str, list[str]] = {}
    for run in source.finished:
        key = json.dumps(run.artifact("environment.json"))
        groups.setdefault(key, []).append(f"{run.method} seed {run.seed}")
    for text, runs in groups.items():
        found = json.loads(text) or {"environment": "not recorded"}
        yield ("all runs" if len(groups) == 1 else ", ".join(runs)), Grid(("what", "which"), list(found.items()))
