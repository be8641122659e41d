"""The table of a comparison as text: Markdown, CSV, LaTeX and JSON."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from cgl_ignite.analysis.columns import NOTHING, used_columns
from cgl_ignite.analysis.comparison import Cost, Difference, TableRow
from cgl_ignite.analysis.notes import notes
from cgl_ignite.analysis.statistics import Interval, Spread

__all__ = ["as_csv", "as_json", "as_latex", "as_markdown"]


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
    if row.length:
        yield from {"curve": row.curve, "length": row.length}.items()


_TEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", NOTHING: "--"}
_TEX |= {sign: f"\\{sign}" for sign in "&%$#_{}"}


def _tex(text: str) -> str:
    escaped = re.sub(r"[\\~^&%$#_{}±–]", lambda found: _TEX[found[0]], text)
    return re.sub(r"(?<![\w-])-(?=\d)", "$-$", escaped)
