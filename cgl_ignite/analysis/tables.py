"""The table of a comparison as text: for the screen, Markdown, CSV, LaTeX and JSON."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from cgl_ignite.analysis.comparison import Cost, Difference, TableRow
from cgl_ignite.analysis.cost_curves import CostPoint, cost_curves, crossings
from cgl_ignite.analysis.lengths import length_of, without_length
from cgl_ignite.analysis.paper import STATEMENT
from cgl_ignite.analysis.statistics import Interval, Spread
from cgl_ignite.config.dump import toml_value
from cgl_ignite.metrics.predictions import unit_of

__all__ = ["COLUMNS", "Column", "as_csv", "as_json", "as_latex", "as_markdown", "notes", "used_columns"]

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


def _size(count: float | None) -> str:
    """Shorten a count to three digits.

    Example:
        >>> _size(1_234_567), _size(987), _size(2.5e9), _size(4e16)
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


def _interval(interval: Interval | None) -> str:
    return f"[{interval.low:+.2f}, {interval.high:+.2f}]" if interval else NOTHING


def _number(value: float | None, form: str) -> str:
    return NOTHING if value is None else form.format(value)


def _name(row: TableRow) -> str:
    return row.method + ("*" if row.deviations else "")


def _time(row: TableRow) -> str:
    return str(timedelta(seconds=round(row.seconds.mean))) if row.seconds else NOTHING


def _parameters(row: TableRow) -> str:
    return f"{_size(row.parameters)} / {_size(row.parameters_student)}" if row.parameters else NOTHING


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
    Column(("MAdds per", "sample"), lambda row: _size(row.cost.multiply_adds), keep=3),
    Column(("training", "MAdds"), lambda row: _size(row.cost.work), keep=9),
    Column(("optimizer", "steps"), lambda row: f"{row.cost.steps:,}", keep=2),
    Column(("training", "time"), _time, keep=1),
    Column(("difference", "to {reference}"), lambda row: _number(row.difference, "{:+.2f}")),
    Column(("95 % interval", "over seeds"), lambda row: _interval(row.over_seeds), keep=8),
    Column(("difference", "certain"), lambda row: _yes_or_no(row.certain), keep=7),
    Column(("95 % interval", "over samples"), lambda row: _interval(row.over_samples), keep=7),
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
    interval = row.differences[name].over_seeds if name in row.differences else None
    return f"[{form.format(interval.low)}, {form.format(interval.high)}]" if interval else NOTHING


def _is_certain(row: TableRow, name: str) -> str:
    return _yes_or_no(row.differences[name].certain if name in row.differences else None)


def used_columns(rows: Sequence[TableRow], reference: str) -> list[tuple[tuple[str, str], list[str], int]]:
    """Return title, cells and ``keep`` of the columns in which any row has something to say.

    What the paper prints is kept as long as its numbers are.
    """
    table = []
    if any(row.against and row.against != reference for row in rows):
        reference = without_length(reference)
    printed = {row.paper_metric for row in rows if row.paper}
    metrics, differences = _metric_columns(rows), _difference_columns(rows)
    for column in [*COLUMNS[:METRICS_AFTER], *metrics, *COLUMNS[METRICS_AFTER:-1], *differences, COLUMNS[-1]]:
        cells = [column.cell(row) for row in rows]
        if any(cell != NOTHING for cell in cells):
            first, second = column.title
            keep = COLUMNS[-1].keep if second in printed else column.keep
            table.append(((first, second.format(reference=reference)), cells, keep))
    return table


def notes(rows: Sequence[TableRow], equal: str) -> Iterator[str]:
    """Say below the table what it does not say itself."""
    yield "± is the standard deviation over seeds; MAdds: multiply-adds, forward and backward, per training sample"
    if any(row.over_seeds for row in rows):
        yield "certain: the interval over seeds leaves out 0"
    if any(row.against and length_of(row.against) for row in rows):
        yield "differences are to the row that is as long"
    if equal.startswith("cost"):
        epochs = ", ".join(f"{row.method} {row.cost.epochs}" for row in rows)
        yield f"equal multiply-adds of the training: epochs: {epochs}"
    if equal == "steps":
        passes = ", ".join(f"{row.method} {row.cost.passes}" for row in rows)
        yield f"equal optimizer steps: passes over the data per epoch: {passes}"
    points = {row.method: CostPoint(row.cost.work, row.accuracies) for row in rows if row.accuracies}
    for cross in crossings(cost_curves(points)):
        up_to = f"{cross.before} is ahead of {cross.after} up to {_size(cross.work)} multiply-adds of training"
        yield f"{up_to}, and behind after that" + ("" if cross.certain else " (not certain)")
    yield from _variants(rows)
    for row in rows:
        if row.deviations:
            changes = ", ".join(f"{key} = {toml_value(value)}" for key, value in row.deviations.items())
            yield f"* {row.method} deviates from the common protocol: {changes}"
        for seed, reason in row.failed.items():
            yield f"{row.method} seed {seed} failed: {reason}"
    if any(row.paper for row in rows):
        yield STATEMENT


def _variants(rows: Sequence[TableRow]) -> Iterator[str]:
    """Say once what each variant changes."""
    lines = {
        row.variant: ", ".join(f"{key} = {toml_value(value)}" for key, value in row.changes.items()) for row in rows
    }
    yield from (f"{name}: {changes}" for name, changes in lines.items() if changes)


def as_markdown(rows: Sequence[TableRow], reference: str, equal: str) -> str:
    """Write the table as Markdown."""
    columns = [(" ".join(filter(None, title)), cells) for title, cells, _ in used_columns(rows, reference)]
    lines = [[title for title, _ in columns], ["---", *["---:"] * (len(columns) - 1)]]
    lines += [list(cells) for cells in zip(*(cells for _, cells in columns), strict=True)]
    table = [f"| {' | '.join(map(_escaped, line))} |" for line in lines]
    below = [f"- {_escaped(note)}" for note in notes(rows, equal)]
    return "\n".join([*table, "", *below]) + "\n"


def _escaped(text: str) -> str:
    return re.sub(r"([|*_\\])", r"\\\1", text)


def as_latex(rows: Sequence[TableRow], reference: str, equal: str) -> str:
    """Write the table as LaTeX, for the package booktabs."""
    columns = used_columns(rows, reference)
    heads = (" & ".join(_tex(title[line]) for title, _, _ in columns) for line in (0, 1))
    body = [" & ".join(map(_tex, cells)) + r" \\" for cells in zip(*(cells for _, cells, _ in columns), strict=True)]
    return "\n".join(
        [
            *(f"% {note}" for note in notes(rows, equal)),
            rf"\begin{{tabular}}{{l{'r' * (len(columns) - 1)}}}",
            r"\toprule",
            *(rf"{head} \\" for head in heads),
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def as_csv(rows: Sequence[TableRow]) -> str:
    """Write the table as CSV, one number a column; what is not known is empty."""
    records = [dict(_record(row)) for row in rows]
    file = io.StringIO()
    names = dict.fromkeys(name for record in records for name in record)
    writer = csv.DictWriter(file, list(names), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return file.getvalue()


def as_json(row: TableRow) -> dict[str, Any]:
    """Return a row as a tree of plain values; the paper's number stands under ``paper`` alone."""
    return {name: _plain(value) for name, value in vars(row).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, (Spread, Interval)):
        return value._asdict()
    if isinstance(value, Difference):
        return {"mean": value.mean, "over_seeds": _plain(value.over_seeds), "certain": value.certain}
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return asdict(value) if isinstance(value, Cost) else value


def _record(row: TableRow) -> Iterator[tuple[str, Any]]:
    yield "method", row.method
    yield "seeds", " ".join(map(str, row.seeds))
    yield "failed", " ".join(map(str, row.failed))
    for name in ("accuracy", "mean_accuracy", "diversity", "seconds", "paper"):
        pair = getattr(row, name) or (None, None)
        yield from zip((f"{name}_mean", f"{name}_std"), pair, strict=True)
    yield from {"parameters": row.parameters, "parameters_student": row.parameters_student}.items()
    yield from asdict(row.cost).items()
    yield "difference", row.difference
    for name in ("over_seeds", "over_samples"):
        pair = getattr(row, name) or (None, None)
        yield from zip((f"{name}_low", f"{name}_high"), pair, strict=True)
    for name, pair in row.metrics.items():
        yield from zip((f"{name}_mean", f"{name}_std"), pair, strict=True)
    for name, one in row.differences.items():
        yield f"{name}_difference", one.mean
        yield from zip((f"{name}_difference_low", f"{name}_difference_high"), one.over_seeds or ("", ""), strict=True)
    yield "deviations", "; ".join(f"{key} = {value}" for key, value in row.deviations.items())
    yield "variant", row.variant
    yield "sharing", row.sharing
    yield from ((f"axis_{name}", value) for name, value in row.points.items())


_TEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", NOTHING: "--"}
_TEX |= {sign: f"\\{sign}" for sign in "&%$#_{}"}


def _tex(text: str) -> str:
    escaped = re.sub(r"[\\~^&%$#_{}±–]", lambda found: _TEX[found[0]], text)
    return re.sub(r"(?<![\w-])-(?=\d)", "$-$", escaped)
