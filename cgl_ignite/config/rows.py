"""The rows of a comparison: variants, methods and the points of all axes, each with each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from cgl_ignite.config.axes import SWEEP, Axis, Point, read_axes
from cgl_ignite.config.dump import flatten
from cgl_ignite.config.equal import Equal
from cgl_ignite.config.load import Document, dotted_keys, merge
from cgl_ignite.config.presets import REFERENCE
from cgl_ignite.config.schema import Table
from cgl_ignite.config.validate import Checked
from cgl_ignite.config.variants import (
    COMMON,
    METHODS_TABLE,
    deviations,
    entries,
    renamed,
    variant,
    without_comparison,
)
from cgl_ignite.errors import Problem, choices

__all__ = ["Compare", "Place", "Plan", "Row", "filed", "read_plan", "reference_among"]

COMPARE, VARIANTS = "compare", "variants"


class Compare(Table):
    """The table ``[compare]``: what a comparison of the file compares, unless the command line says otherwise.

    ``methods``: which methods each variant is trained with; without them ``[method]`` holds. ``constant``: those of
    them that the axes leave as they are. ``base``: the name of the row without a variant; if it is empty, there is
    none. ``equal``: what all rows have the same amount of. ``paper``: the table or figure of the paper whose numbers
    stand beside the measured ones.
    """

    methods: tuple[str, ...] = ()
    constant: tuple[str, ...] = ()
    base: str = "base"
    equal: Equal = "epochs"
    paper: str | None = None


@dataclass(frozen=True)
class Place:
    """Where a row stands in a comparison.

    Attributes:
        curve: the name of the rows that differ from it by their points on the axes alone.
        method: the method it is trained with; empty if rows are not methods.
        variant: its name in ``[variants]``, or that of the base; empty if there are no variants.
        points: its values by the names of the axes; none for a method that the axes leave as it is.
        against: the row that it is measured against.
        changes: what its variant changes, by dotted key.
        swept: the dotted keys of its axes.
        length: how many times the epochs of its method it is trained for; None where rows do not differ by that.
    """

    curve: str
    method: str = ""
    variant: str = ""
    points: Mapping[str, Point] = field(default_factory=dict)
    against: str | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    swept: Sequence[str] = ()
    length: int | None = None

    @classmethod
    def read(cls, tree: Mapping[str, Any]) -> Place:
        """Return the place that ``dataclasses.asdict`` has made a tree of."""
        return cls(**{**tree, "points": {name: Point(**point) for name, point in tree["points"].items()}})


@dataclass(frozen=True)
class Row:
    """A row: its document as ``cgl run`` would read it, and the keys of the file that made it.

    ``written``: for each key of the pipeline that a variant or an axis changes, the key in the file.
    """

    name: str
    document: Document
    place: Place
    written: Mapping[str, str] = field(default_factory=dict)
    deviations: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What a pipeline file compares: its table ``[compare]``, its axes, and its rows by name."""

    table: Compare
    axes: Sequence[Axis]
    rows: Mapping[str, Row]

    @property
    def given(self) -> bool:
        """Whether the file itself says what is compared."""
        return bool(self.axes or self.table.methods or any(row.place.variant for row in self.rows.values()))


def read_plan(document: Document, methods: Sequence[str] | None = None) -> tuple[Plan, list[Problem]]:
    """Return the rows that a document describes, and what is wrong with the tables that describe them.

    ``methods``: which methods; None leaves it to ``[compare]``.
    """
    table, problems = _compare(document)
    faults = list(_variant_faults(document, table))
    axes, wrong = _axes_of_variants(document, table) if not faults else ({}, [])
    if problems := [*problems, *wrong, *faults]:
        return Plan(table, (), {}), problems
    names = table.methods if methods is None else methods
    swept: list[Axis] = []
    for axis in (axis for own in axes.values() for axis in own):
        swept += [axis] if axis not in swept else []
    if hidden := list(_hidden(document, swept, [name for name in names if name not in table.constant])):
        return Plan(table, (), {}), hidden
    made = [_row(document, *choice) for choice in _choices(table, axes, names)]
    rows = {row.name: row for row in made}
    return Plan(table, swept, {name: _measured(row, rows) for name, row in rows.items()}), problems


def reference_among(rows: Sequence[str], places: Mapping[str, Place]) -> str:
    """Name what all rows are measured against: a method, a variant, a point of the axes, or one row.

    Rows without places are methods: it is the baseline, or the first one.

    Example:
        >>> reference_among(["dml", "baseline"], {}), reference_among(["dml", "one"], {})
        ('baseline', 'dml')
    """
    if not places:
        return REFERENCE if REFERENCE in rows else rows[0]
    against = list(dict.fromkeys(place.against for place in places.values() if place.against))
    if len(against) == 1:
        return against[0]
    methods = {places[name].method for name in against}
    if len(methods) == 1 and "" not in methods:
        return methods.pop()
    points = {name.removeprefix(places[name].curve).strip() for name in against}
    return points.pop() if len(points) == 1 else places[against[0]].variant


def filed(problem: Problem, row: Row, document: Document) -> Problem:
    """File a problem of a row under the key that the user wrote."""
    for key, written in row.written.items():
        if problem.key == key or problem.key.startswith((f"{key}.", f"{key}[")):
            return replace(problem, where=document.where(written), key=written + problem.key.removeprefix(key))
        if key.startswith(f"{problem.key}."):
            return Problem(document.where(written), written, f"{problem.key}: {problem.message}")
    own = renamed(problem, document, row.place.method) if row.place.method else None
    return own or problem


def _compare(document: Document) -> tuple[Compare, list[Problem]]:
    tree = document.tree.get(COMPARE, {})
    if not isinstance(tree, dict):
        return Compare(), [Problem(document.where(COMPARE), COMPARE, "must be a table such as [compare]")]
    checked = Checked(Compare, Document(tree, {}, document.path))
    keys = [(one, f"{COMPARE}.{one.key}") for one in checked.problems]
    problems = [Problem(document.where(key), key, one.message) for one, key in keys]
    table = checked.value or Compare()
    if unknown := [name for name in table.constant if name not in table.methods]:
        key = f"{COMPARE}.constant"
        message = f"{unknown[0]!r} is none of compare.methods" + (f", {choices(table.methods)}" * bool(table.methods))
        problems.append(Problem(document.where(key), key, message))
    return table, problems


def _variant_faults(document: Document, table: Compare) -> Iterator[Problem]:
    found = document.tree.get(VARIANTS, {})
    if not isinstance(found, dict):
        yield Problem(document.where(VARIANTS), VARIANTS, "must be tables such as [variants.large]")
        return
    for name, entry in found.items():
        key = f"{VARIANTS}.{name}"
        if not isinstance(entry, dict):
            yield Problem(document.where(key), key, f"must be a table such as [variants.{name}]")
        elif not name.strip() or name == table.base:
            taken = "is empty" if not name.strip() else "is that of the pipeline itself (compare.base)"
            yield Problem(document.where(key), key, f"is no name for a variant: it {taken}")
        elif not entry:
            yield Problem(document.where(key), key, "changes nothing")


def _axes_of_variants(document: Document, table: Compare) -> tuple[dict[str, list[Axis]], list[Problem]]:
    """Read the axes of every variant, and what is wrong with them; no variants are one without a name."""
    variants = list(document.tree.get(VARIANTS, {}))
    names = [*([table.base] if table.base else []), *variants] if variants else [""]
    found = {name: read_axes(document, name) for name in names}
    faults = [fault for _, own in found.values() for fault in own]
    return {name: axes for name, (axes, _) in found.items()}, list(dict.fromkeys(faults))


def _hidden(document: Document, axes: Sequence[Axis], methods: Sequence[str]) -> Iterator[Problem]:
    """Find what variants and methods set in vain, as an axis sets it in every row."""
    tables = {f"{VARIANTS}.{name}": flatten(entry) for name, entry in document.tree.get(VARIANTS, {}).items()}
    tables |= {f"{METHODS_TABLE}.{name}": flatten(entries(document).get(name, {})) for name in methods}
    for table, keys in tables.items():
        for key in keys:
            full = key if table.startswith(VARIANTS) or key.partition(".")[0] in COMMON else f"method.{key}"
            if axis := next((axis for axis in axes if f"{full}.".startswith(f"{axis.key}.")), None):
                written = f"{table}.{key}"
                yield Problem(
                    document.where(written), written, f"is set in vain: every row has a value of {axis.written}"
                )


def _choices(
    table: Compare, axes: Mapping[str, Sequence[Axis]], methods: Sequence[str]
) -> Iterator[tuple[str, str, Sequence[tuple[Axis, Point]]]]:
    """Yield variant, method and points of every row."""
    for name, own in axes.items():
        grid = list(product(*([(axis, point) for point in axis.points] for axis in own)))
        for method in methods or [""]:
            yield from ((name, method, points) for points in ([()] if method in table.constant else grid))


def _row(document: Document, name: str, method: str, points: Sequence[tuple[Axis, Point]]) -> Row:
    """Lay the preset of the method, the changes of the variant and the points of the axes over the pipeline."""
    made = variant(document, method) if method else without_comparison(document)
    given = document.tree.get(VARIANTS, {}).get(name, {})
    entry = {key: value for key, value in given.items() if key != SWEEP}
    written = {f"{axis.key}": axis.written for axis, _ in points}
    own = f"{VARIANTS}.{name}"
    keys = list(dotted_keys(entry))
    made = merge(made, Document(entry, {key: document.where(f"{own}.{key}") for key in keys}, document.path))
    for axis, point in points:
        made = merge(made, Document(axis.tree(point), {axis.key: document.where(axis.written)}, document.path))
    written |= {key: f"{own}.{key}" for key in reversed(keys) if key not in written}
    curve = " ".join(filter(None, (name, method)))
    title = " ".join(filter(None, (curve, *(axis.title(point) for axis, point in points))))
    place = Place(
        curve=curve or str(document.tree.get("method", {}).get("preset", "")),
        method=method,
        variant=name,
        points={axis.name: point for axis, point in points},
        changes=flatten(entry),
        swept=[axis.key for axis, _ in points],
    )
    return Row(title or place.curve, made, place, written, deviations(document, method) if method else {})


def _measured(row: Row, rows: Mapping[str, Row]) -> Row:
    """Name the row that a row is measured against: of the reference method, or the first variant, at the same points.

    Where no other curve reads the same data, it is the first row of its own curve.
    """
    place, others = row.place, list(rows.values())
    methods = list(dict.fromkeys(other.place.method for other in others))
    if len(methods) > 1:
        wanted = REFERENCE if REFERENCE in methods else methods[0]
        fit = [other for other in others if (other.place.method, other.place.variant) == (wanted, place.variant)]
    else:
        fit = [other for other in others if other.place.variant == others[0].place.variant]
    same = [other for other in fit if not other.place.points or other.place.points == place.points]
    alike = [other for other in others if _data(other) == _data(row)]
    if len({other.place.curve for other in alike}) == 1:
        fit = same = alike
    return replace(row, place=replace(place, against=(same or fit)[0].name))


def _data(row: Row) -> Any:
    return row.document.tree.get("data", {}).get("kind")
