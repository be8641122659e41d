"""What a page says in sentences: its title, its question, and the result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cgl_ignite.analysis.columns import bounds, size
from cgl_ignite.analysis.comparison import TableRow
from cgl_ignite.analysis.cost_curves import curves_of, last_leads, reference_curves
from cgl_ignite.analysis.statistics import Interval
from cgl_ignite.page.source import PageRun, Source

__all__ = ["findings", "question", "title"]

MANY = 8
"""Of more rows only some get a sentence."""
SAME = {"epochs": "equal epochs", "steps": "equal optimizer steps", "cost": "equal multiply-adds"}


def title(source: Source) -> str:
    """Name what is compared: methods, variants or curves, the axes, and the data sets."""
    axes = f" over {_listed(_axes(source))}" if _axes(source) else ""
    return f"{', '.join(_subjects(source))}{axes} on {_listed(_kinds(source.finished, 'data'))}"


def question(source: Source) -> str:
    """Ask what the page answers."""
    subjects = _subjects(source)
    data, backbones = (_listed(_kinds(source.finished, table)) for table in ("data", "backbone"))
    where = f"on {data} with {backbones}"
    if axes := _axes(source):
        return f"How does the accuracy of {_listed(subjects)} change with {_listed(axes)} {where}?"
    if len(subjects) == 1:
        return f"How accurate is the student that {subjects[0]} trains {where}?"
    how = f", at {SAME.get(source.equal.partition('=')[0], source.equal)}" if source.folder else ""
    return f"Which of {', '.join(subjects)} trains the most accurate student {where}{how}?"


def findings(rows: Sequence[TableRow], reference: str) -> Iterator[str]:
    """Say the result in sentences, and how certain it is; of many rows those with certain differences.

    Of several lengths, the longest has a sentence, and so has the difference at equal cost.
    """
    measured = [row for row in rows if row.accuracy is not None]
    if any(row.length for row in measured):
        yield from _over_lengths(measured, reference)
        return
    told = [row for row in measured if len(measured) <= MANY or row.difference is None or row.certain]
    yield from (_finding(row, reference) for row in told)
    if others := len(measured) - len(told):
        yield f"The table has {others} more; no difference of theirs is certain."


def _over_lengths(rows: Sequence[TableRow], reference: str) -> Iterator[str]:
    longest = {row.curve: row for row in sorted(rows, key=lambda row: row.cost.work)}
    curves = curves_of(rows)
    yield from (_finding(longest[name], reference) for name in curves)
    for method in reference_curves(rows):
        for name, lead in last_leads(curves, method):
            where = f"at equal cost, {size(lead.work)} multiply-adds of training"
            yield f"{name}, {where}: {_apart(lead.mean, method)}{_certainty(lead.over_seeds)}."


def _finding(row: TableRow, reference: str) -> str:
    mean, std = row.accuracy or (float("nan"), None)
    text = f"{row.method}: {mean:.2f}" + ("" if std is None else f" ± {std:.2f}") + " % on the test part"
    if row.difference is not None:
        text += f", {_apart(row.difference, row.against or reference)}{_certainty(row.over_seeds)}"
    return f"{text}."


def _apart(difference: float, reference: str) -> str:
    return f"{abs(difference):.2f} points {'above' if difference >= 0 else 'below'} {reference}"


def _certainty(interval: Interval | None) -> str:
    if interval is None:
        return "; one seed in common, or equal differences, so how certain this is over seeds is not known"
    sure = "its sign is certain" if interval.leaves_out_zero else "its sign is not certain"
    return f"; 95 % interval over seeds {bounds(interval)}: {sure}"


def _subjects(source: Source) -> list[str]:
    """Name the rows, or, where there are axes or lengths, their curves."""
    if not _axes(source):
        return list(source.methods)
    return list(dict.fromkeys(place.curve for place in source.places.values()))


def _axes(source: Source) -> list[str]:
    if any(place.length for place in source.places.values()):
        return ["the length of the training"]
    return list(dict.fromkeys(name for place in source.places.values() for name in place.points))


def _kinds(runs: Sequence[PageRun], table: str) -> list[str]:
    return list(dict.fromkeys(run.setting[table]["kind"] for run in runs))


def _listed(names: Sequence[str]) -> str:
    """Write names as a sentence lists them.

    Example:
        >>> _listed(["p"]), _listed(["a", "b", "c"])
        ('p', 'a, b and c')
    """
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
