"""The axes of a comparison: ``[sweep]`` gives keys of the pipeline several values each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cgl_ignite.config.dotted import nested
from cgl_ignite.config.dump import toml_value
from cgl_ignite.config.load import Document, Tree
from cgl_ignite.errors import Problem

__all__ = ["SWEEP", "Axis", "Point", "read_axes"]

SWEEP = "sweep"
"""The table of the axes."""
_FORM = "must be a list of values, or { values = [...], labels = [...], name = '...' }"
_KEYS = {"values", "labels", "name"}


@dataclass(frozen=True)
class Point:
    """A value of an axis, and what it is called in tables and pictures."""

    value: Any
    label: str

    @property
    def number(self) -> float | None:
        """The value as a number, None where it is none."""
        return float(self.value) if isinstance(self.value, (int, float)) and not isinstance(self.value, bool) else None


@dataclass(frozen=True)
class Axis:
    """A key of the pipeline and the values that it takes in turn.

    Attributes:
        key: dotted, such as ``method.choose.probability``.
        name: what the axis is called.
        labelled: whether its points have labels of their own, and need no ``name=`` before them.
        table: where it is written.
    """

    key: str
    name: str
    points: tuple[Point, ...]
    labelled: bool = False
    table: str = SWEEP

    @property
    def written(self) -> str:
        """The key in the pipeline file."""
        return f"{self.table}.{self.key}"

    def title(self, point: Point) -> str:
        """Name a row by its value on this axis."""
        return point.label if self.labelled else f"{self.name}={point.label}"

    def tree(self, point: Point) -> Tree:
        """Return the change that a point stands for."""
        return nested(self.key, point.value)


def read_axes(document: Document, variant: str = "") -> tuple[list[Axis], list[Problem]]:
    """Read ``[sweep]``; what is wrong with its form comes beside it.

    ``variant``: whose ``[variants.NAME.sweep]`` gives axes other values, or adds axes.
    """
    problems: list[Problem] = []
    own = f"variants.{variant}.{SWEEP}"
    entry = document.tree.get("variants", {}).get(variant, {})
    tables = {SWEEP: document.tree.get(SWEEP, {}), own: entry.get(SWEEP, {})}
    if wrong := next((key for key, table in tables.items() if not isinstance(table, dict)), None):
        return [], [Problem(document.where(wrong), wrong, 'must be a table such as [sweep] "run.epochs" = [10, 20]')]
    common, others = (dict(_leaves(table, "")) for table in tables.values())
    found = common | {key: _laid(common.get(key), given) for key, given in others.items()}
    axes = []
    for key, value in found.items():
        if axis := _axis(document, key, value, found, problems, own if key in others else SWEEP):
            axes.append(axis)
    return axes, problems


def _laid(common: Any, own: Any) -> Any:
    """Give an axis other values; it keeps its name."""
    table = own if isinstance(own, dict) else {"values": own}
    name = {"name": common["name"]} if isinstance(common, dict) and "name" in common else {}
    return name | table


def _leaves(tree: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping) and "values" not in value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _axis(
    document: Document, key: str, given: Any, found: Mapping[str, Any], problems: list[Problem], written: str
) -> Axis | None:
    table = given if isinstance(given, dict) else {"values": given}
    if fault := _fault(table):
        problems.append(Problem(document.where(f"{written}.{key}"), f"{written}.{key}", fault))
        return None
    labels = table.get("labels") or _labels(table["values"])
    points = tuple(Point(value, label) for value, label in zip(table["values"], labels, strict=True))
    last = key.rpartition(".")[2]
    alone = sum(other.rpartition(".")[2] == last for other in found) == 1
    return Axis(key, table.get("name") or (last if alone else key), points, "labels" in table, written)


def _fault(table: Mapping[str, Any]) -> str:
    values, labels = table["values"], table.get("labels")
    if not isinstance(values, list) or not values or table.keys() - _KEYS or not isinstance(table.get("name", ""), str):
        return _FORM
    texts = [toml_value(value) for value in values]
    if twice := next((text for text in texts if texts.count(text) > 1), None):
        return f"{twice} stands there twice, and would give the same row twice"
    if labels is None:
        return ""
    if not isinstance(labels, list) or not all(isinstance(label, str) and label.strip() for label in labels):
        return "labels must be a list of texts"
    if len(labels) != len(values) or len(set(labels)) < len(labels):
        return f"needs {len(values)} different labels, one for each value, not {toml_value(labels)}"
    return ""


def _labels(values: Sequence[Any]) -> list[str]:
    kinds = [value["kind"] for value in values if isinstance(value, dict) and isinstance(value.get("kind"), str)]
    if len(set(kinds)) == len(values):
        return kinds
    return [value if isinstance(value, str) else toml_value(value) for value in values]
