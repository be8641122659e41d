"""The axes of a comparison: ``[sweep]`` gives keys of the pipeline several values each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cgl_ignite.config.dotted import nested
from cgl_ignite.config.dump import toml_value
from cgl_ignite.config.load import Document, Tree
from cgl_ignite.errors import Problem

__all__ = ["Axis", "Point", "read_axes"]

SWEEP = "sweep"
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
    """

    key: str
    name: str
    points: tuple[Point, ...]
    labelled: bool = False

    @property
    def written(self) -> str:
        """The key in the pipeline file."""
        return f"{SWEEP}.{self.key}"

    def title(self, point: Point) -> str:
        """Name a row by its value on this axis."""
        return point.label if self.labelled else f"{self.name}={point.label}"

    def tree(self, point: Point) -> Tree:
        """Return the change that a point stands for."""
        return nested(self.key, point.value)


def read_axes(document: Document) -> tuple[list[Axis], list[Problem]]:
    """Read ``[sweep]``; what is wrong with its form comes beside it."""
    problems: list[Problem] = []
    table = document.tree.get(SWEEP, {})
    if not isinstance(table, dict):
        return [], [Problem(document.where(SWEEP), SWEEP, 'must be a table such as [sweep] "run.epochs" = [10, 20]')]
    found = dict(_leaves(table, ""))
    axes = [axis for key, value in found.items() if (axis := _axis(document, key, value, found, problems))]
    return axes, problems


def _leaves(tree: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping) and "values" not in value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _axis(document: Document, key: str, given: Any, found: Mapping[str, Any], problems: list[Problem]) -> Axis | None:
    table = given if isinstance(given, dict) else {"values": given}
    if fault := _fault(table):
        problems.append(Problem(document.where(f"{SWEEP}.{key}"), f"{SWEEP}.{key}", fault))
        return None
    labels = table.get("labels") or _labels(table["values"])
    points = tuple(Point(value, label) for value, label in zip(table["values"], labels, strict=True))
    last = key.rpartition(".")[2]
    alone = sum(other.rpartition(".")[2] == last for other in found) == 1
    return Axis(key, table.get("name") or (last if alone else key), points, "labels" in table)


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
