"""What a page about all tables and figures of the paper says: their states, and ours beside the paper's."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from cgl_ignite.analysis.comparison import TableRow
from cgl_ignite.analysis.paper import STATEMENT, printed_in
from cgl_ignite.analysis.ranking import ranks
from cgl_ignite.analysis.statistics import Spread
from cgl_ignite.comparison.pictures import axis_figures
from cgl_ignite.config.dump import differences
from cgl_ignite.page.analysed import AnalysedPart, analysed_parts
from cgl_ignite.page.content import title_of_picture, unfinished
from cgl_ignite.page.parts import Grid, Picture
from cgl_ignite.page.pieces import FoundPiece, find_pieces
from cgl_ignite.page.setting import common_setting, in_words
from cgl_ignite.page.source import Source

__all__ = ["PaperPage", "Piece", "gather_paper"]

STATES = {"full": "full size", "small": "small trial", "": "not run"}
NOTHING = "–"


@dataclass(frozen=True)
class Piece:
    """A table or figure of the paper on the page.

    Attributes:
        state: whether it was run, in which size, and how much of it.
        table: ours beside the paper's.
        setting: of the first run; ``deviations``: where it differs from the paper's size.
        missing: the runs that are not finished, and why.
        figures: the pictures of the comparison; ``analyses``: what else was measured of its runs.
        command: what runs it, or the rest of it.
    """

    name: str
    title: str
    state: str
    table: Grid
    setting: Sequence[tuple[str, str]]
    deviations: Sequence[str]
    missing: Grid
    figures: Sequence[Picture]
    analyses: Sequence[AnalysedPart]
    command: str

    @property
    def pictures(self) -> list[Picture]:
        """All pictures of the piece."""
        return [*self.figures, *(picture for part in self.analyses for picture in part.pictures)]


@dataclass(frozen=True)
class PaperPage:
    """What a page about the whole paper says, piece by piece."""

    template: ClassVar[str] = "paper"

    pieces: Sequence[Piece]
    states: Grid
    statement: str

    @property
    def pictures(self) -> list[Picture]:
        """The pictures of all pieces."""
        return [picture for piece in self.pieces for picture in piece.pictures]


def gather_paper(files: Path, folder: Path) -> PaperPage:
    """Gather what has been run of the tables and figures of the paper.

    Args:
        files: the folder of their pipeline files.
        folder: the tracking folder.

    Raises:
        InputError: no such files, or damaged ones.
    """
    pieces = [_piece(found) for found in find_pieces(files, folder)]
    states = Grid(("piece", "state", "what it is"), [(piece.name, piece.state, piece.title) for piece in pieces])
    return PaperPage(pieces, states, STATEMENT)


def _piece(found: FoundPiece) -> Piece:
    source, name = found.source, found.file.stem
    command = ["cgl", "compare", str(found.file), *(["--small"] if found.size == "small" else [])]
    empty = Grid((), [])
    if source is None:
        return Piece(name, found.title, STATES[""], empty, [], [], empty, [], [], shlex.join(command))
    first = source.finished[0]
    full = found.full.get(first.method)
    changed = differences(first.setting, full) if full else {}
    return Piece(
        name=name,
        title=found.title,
        state=f"{STATES[found.size]}, {len(source.finished)} of {found.cells} runs",
        table=_table([_with_paper(name, row) for row in source.report.rows], _tasks(source)),
        setting=common_setting(first),
        deviations=[f"{key}: {in_words(there)} instead of {in_words(here)}" for key, (there, here) in changed.items()],
        missing=unfinished(source.missing),
        figures=list(_figures(name, source)),
        analyses=analysed_parts(source, f"{name}_"),
        command=shlex.join(command),
    )


def _figures(piece: str, source: Source) -> Iterator[Picture]:
    """Draw the rows along their axes, or, without axes, side by side."""
    report = source.report
    figures = {f"{name}.png": figure for name, figure in axis_figures(report.methods).items()}
    figures = figures or {"accuracy.png": report.figures()["accuracy.png"]}
    for name, figure in figures.items():
        yield Picture.drawn(f"{piece}_{Path(name).stem}", title_of_picture(name), figure)


def _with_paper(piece: str, row: TableRow) -> TableRow:
    """Give a row the number of the paper's row of the same name, whatever the size and the data of the trial."""
    printed = printed_in(piece, row.method)
    if row.paper or printed is None:
        return row
    return replace(row, paper=Spread(printed.mean, printed.std), paper_metric=printed.metric)


def _tasks(source: Source) -> dict[str, tuple[str, str]]:
    """Name the data set and the backbone of each row."""
    return {row.name: (row.dataset, row.backbone) for row in source.report.methods}


def _table(rows: Sequence[TableRow], tasks: Mapping[str, tuple[str, str]]) -> Grid:
    """Put ours beside the paper's, with the ranks of both among the rows with the same data set and backbone."""
    printed = any(row.paper for row in rows)
    compared = ("the paper's", "rank: ours", "rank: the paper's") if printed else ("rank",)
    ours, theirs = _ranks(rows, tasks, _measured), _ranks(rows, tasks, lambda row: row.paper)
    lines = []
    for row in rows:
        paper = [_paper(row)] if printed else []
        shown = [ours[row.method], *([theirs[row.method]] if printed else [])]
        lines.append((row.method, _text(row.accuracy, "{:.2f}", " %"), _text(row.diversity, "{:.3f}"), *paper, *shown))
    return Grid(("row", "ours", "diversity", *compared), lines)


def _measured(row: TableRow) -> Spread | None:
    """Return what the paper prints of a row, as measured here."""
    return row.diversity if row.paper_metric == "diversity" else row.accuracy


def _paper(row: TableRow) -> str:
    accuracy = row.paper_metric == "accuracy"
    return _text(row.paper, "{:.2f}" if accuracy else "{:.3f}", " %" if accuracy else f" {row.paper_metric}")


def _ranks(
    rows: Sequence[TableRow], tasks: Mapping[str, tuple[str, str]], read: Callable[[TableRow], Spread | None]
) -> dict[str, str]:
    found = dict.fromkeys((row.method for row in rows), NOTHING)
    for task in dict.fromkeys(tasks.values()):
        known = {row.method: value.mean for row in rows if tasks[row.method] == task and (value := read(row))}
        found |= {name: f"{rank:g}" for name, rank in zip(known, ranks(list(known.values())), strict=True)}
    return found


def _text(value: Spread | None, form: str, unit: str = "") -> str:
    if value is None:
        return NOTHING
    return form.format(value.mean) + ("" if value.std is None else f" ± {form.format(value.std)}") + unit
