"""Dotted keys in quotes, such as ``"method.students" = [2, 4]``, read as the tables they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["COMPARISON_TABLES", "Twice", "expanded", "nested"]

COMPARISON_TABLES = ("compare", "methods", "small", "sweep", "variants")
"""Tables of a pipeline file that only a comparison reads, and ``cgl run`` ignores."""

_NAMED = ("methods", "variants")


class Twice(ValueError):
    """A dotted key stands there twice, or within another one that has a value."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def expanded(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tree of a pipeline file with quoted dotted keys of its comparison tables as tables.

    Raises:
        Twice: a key that is given in both forms, or in two depths.

    Example:
        >>> expanded({"sweep": {"method.students": [2, 4]}, "name": "a.b"})
        {'sweep': {'method': {'students': [2, 4]}}, 'name': 'a.b'}
    """
    result: dict[str, Any] = dict(tree)
    for table in COMPARISON_TABLES:
        value = tree.get(table)
        if not isinstance(value, Mapping):
            continue
        if table in _NAMED:
            result[table] = {name: _expanded(entry, f"{table}.{name}") for name, entry in value.items()}
        else:
            result[table] = _expanded(value, table)
    return result


def nested(key: str, value: Any) -> dict[str, Any]:
    """Return the tree in which a dotted key has a value.

    Example:
        >>> nested("run.epochs", 3)
        {'run': {'epochs': 3}}
    """
    first, _, rest = key.partition(".")
    return {first: nested(rest, value) if rest else value}


def _expanded(value: Any, place: str) -> Any:
    if not isinstance(value, Mapping):
        return value
    result: dict[str, Any] = {}
    for key, inner in value.items():
        _add(result, nested(key, _expanded(inner, f"{place}.{key}")), place)
    return result


def _add(into: dict[str, Any], more: Mapping[str, Any], place: str) -> None:
    for key, value in more.items():
        here = f"{place}.{key}"
        if key not in into:
            into[key] = value
        elif isinstance(into[key], dict) and isinstance(value, dict):
            _add(into[key], value, here)
        else:
            raise Twice(here)
