"""The columns of the table of a comparison, and how their cells read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from cgl_ignite.analysis.comparison import TableRow
from cgl_ignite.analysis.statistics import Interval, Spread
from cgl_ignite.metrics.predictions import unit_of

__all__ = ["COLUMNS", "NOTHING", "Column", "bounds", "size", "used_columns"]

NOTHING = "–"


@dataclass(frozen=True)
class Column:
    """A column: its title in two lines, how a row's cell reads, and how soon a narrow screen goes without it.

    ``keep``: the greater, the longer it stays; 0 always stays.
    """

    title: tuple[str, str]
    cell: Callable[[TableRow], str]
    keep: int = 0


def _accuracy(row: TableRow) -> str:
    failed = f"{len(row.failed)} failed" if row.failed else ""
    return " ".join(filter(None, (_spread(row.accuracy, "{:.2f}"), failed)))


def size(count: float | None) -> str:
    """Shorten a count to three digits.

    Example:
        >>> size(1_234_567), size(987), size(2.5e9), size(4e16)
        ('1.23M', '987', '2.5G', '40P')
    """
    if count is None:
        return NOTHING
    for unit in ("", "k", "M", "G", "T", "P", "E"):
        if count < 999.5 or unit == "E":
            break
        count /= 1000
    return f"{count:.3g}{unit}"


def _spread(values: Spread | None, form: str) -> str:
    if values is None:
        return NOTHING
    return form.format(values.mean) + (f" ± {form.format(values.std)}" if values.std is not None else "")


def bounds(interval: Interval | None, form: str = "{:+.2f}") -> str:
    """Write an interval."""
    return f"[{form.format(interval.low)}, {form.format(interval.high)}]" if interval else NOTHING


def _number(value: float | None, form: str) -> str:
    return NOTHING if value is None else form.format(value)


def _name(row: TableRow) -> str:
    return row.method + ("*" if row.deviations else "")


def _time(row: TableRow) -> str:
    return str(timedelta(seconds=round(row.seconds.mean))) if row.seconds else NOTHING


def _parameters(row: TableRow) -> str:
    return f"{size(row.parameters)} / {size(row.parameters_student)}" if row.parameters else NOTHING


def _yes_or_no(certain: bool | None) -> str:
    return {None: NOTHING, True: "yes", False: "no"}[certain]


def _paper(row: TableRow) -> str:
    if row.paper is None:
        return NOTHING
    form, what = ("{:.2f}", "") if row.paper_metric == "accuracy" else ("{:.3f}", f" {row.paper_metric}")
    return f"paper: {_spread(row.paper, form)}{what}"


COLUMNS = (
    Column(("", "method"), _name),
    Column(("test accuracy", "selected, %"), _accuracy),
    Column(("of all", "students, %"), lambda row: _spread(row.mean_accuracy, "{:.2f}"), keep=4),
    Column(("", "diversity"), lambda row: _spread(row.diversity, "{:.3f}"), keep=6),
    Column(("sharing", "ratio"), lambda row: _number(row.sharing, "{:.3f}"), keep=6),
    Column(("parameters", "all / one"), _parameters, keep=5),
    Column(("MAdds per", "sample"), lambda row: size(row.cost.multiply_adds), keep=3),
    Column(("training", "MAdds"), lambda row: size(row.cost.work), keep=9),
    Column(("optimizer", "steps"), lambda row: f"{row.cost.steps:,}", keep=2),
    Column(("training", "time"), _time, keep=1),
    Column(("difference", "to {reference}"), lambda row: _number(row.difference, "{:+.2f}")),
    Column(("95 % interval", "over seeds"), lambda row: bounds(row.over_seeds), keep=8),
    Column(("difference", "certain"), lambda row: _yes_or_no(row.certain), keep=7),
    Column(("95 % interval", "over samples"), lambda row: bounds(row.over_samples), keep=7),
    Column(("", "the paper's"), _paper, keep=9),
)

METRICS_AFTER = 2
"""How many columns stand before those of the metrics that ``run.metrics`` names."""


def _metric_columns(rows: Sequence[TableRow]) -> Iterator[Column]:
    """Make a column of each metric that any row has."""
    for name in dict.fromkeys(name for row in rows for name in row.metrics):
        unit = unit_of(name)
        form = "{:.2f}" if unit else "{:.4f}"
        title = name.replace("_", " "), f"selected{unit and f', {unit}'}"
        yield Column(title, partial(_metric, name=name, form=form))


def _metric(row: TableRow, name: str, form: str) -> str:
    return _spread(row.metrics.get(name), form)


def _difference_columns(rows: Sequence[TableRow]) -> Iterator[Column]:
    """Make the columns of how each metric differs from the reference's."""
    for name in dict.fromkeys(name for row in rows for name in row.differences):
        title, form = name.replace("_", " "), "{:+.2f}" if unit_of(name) else "{:+.4f}"
        yield Column((f"{title}: difference", "to {reference}"), partial(_difference, name=name, form=form), keep=10)
        yield Column((f"{title}: 95 %", "interval over seeds"), partial(_over_seeds, name=name, form=form), keep=8)
        yield Column((f"{title}:", "difference certain"), partial(_is_certain, name=name), keep=7)


def _difference(row: TableRow, name: str, form: str) -> str:
    return form.format(row.differences[name].mean) if name in row.differences else NOTHING


def _over_seeds(row: TableRow, name: str, form: str) -> str:
    return bounds(row.differences[name].over_seeds if name in row.differences else None, form)


def _is_certain(row: TableRow, name: str) -> str:
    return _yes_or_no(row.differences[name].certain if name in row.differences else None)


def used_columns(rows: Sequence[TableRow], reference: str) -> list[tuple[tuple[str, str], list[str], int]]:
    """Return title, cells and ``keep`` of the columns in which any row has something to say.

    What the paper prints is kept as long as its numbers are.
    """
    table = []
    printed = {row.paper_metric for row in rows if row.paper}
    metrics, differences = _metric_columns(rows), _difference_columns(rows)
    for column in [*COLUMNS[:METRICS_AFTER], *metrics, *COLUMNS[METRICS_AFTER:-1], *differences, COLUMNS[-1]]:
        cells = [column.cell(row) for row in rows]
        if any(cell != NOTHING for cell in cells):
            first, second = column.title
            keep = COLUMNS[-1].keep if second in printed else column.keep
            table.append(((first, second.format(reference=reference)), cells, keep))
    return table
