"""The methods of a comparison: a pipeline document with its ``[method]`` replaced, one document per method."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from cgl_ignite.config.dotted import COMPARISON_TABLES
from cgl_ignite.config.load import Document, Tree, merge
from cgl_ignite.config.presets import METHODS, PAPER_METHODS
from cgl_ignite.errors import Problem

__all__ = [
    "COMMON",
    "METHODS_TABLE",
    "deviations",
    "entries",
    "faults",
    "known_methods",
    "lost_changes",
    "renamed",
    "variant",
    "without_comparison",
]

METHODS_TABLE = "methods"
COMMON = ("data", "distil", "optim", "run")
"""Tables that all methods share; ``[methods.NAME.optim]`` changes one for that method alone."""
OF_DATA = {"augment"}
"""What of ``[data]`` a method may change: it must read the rows that all read."""


def entries(document: Document) -> Mapping[str, Tree]:
    """Return the tables ``[methods.NAME]`` of a document by name."""
    table = document.tree.get(METHODS_TABLE)
    entries = table.items() if isinstance(table, dict) else ()
    return {name: entry for name, entry in entries if isinstance(entry, dict)}


def known_methods(document: Document) -> tuple[str, ...]:
    """Name the methods of the paper and those the document adds, in this order."""
    return tuple(dict.fromkeys((*PAPER_METHODS, *entries(document))))


def without_comparison(document: Document) -> Document:
    """Return the document as ``cgl run`` reads it."""
    tree = {key: value for key, value in document.tree.items() if key not in COMPARISON_TABLES}
    origins = {key: origin for key, origin in document.origins.items() if key.partition(".")[0] in tree}
    return replace(document, tree=tree, origins=origins)


def variant(document: Document, name: str) -> Document:
    """Return the document of one method: the preset of that name, under what ``[methods.NAME]`` says.

    Seeds, backbone and, where the entry does not change them, data, optimizer and run are those of all methods.
    """
    plain = without_comparison(document)
    entry = entries(document).get(name, {})
    method = {key: value for key, value in entry.items() if key not in COMMON}
    if name in METHODS:
        method = {"preset": name, **method}
    base = replace(
        plain,
        tree={key: value for key, value in plain.tree.items() if key != "method"},
        origins={key: origin for key, origin in plain.origins.items() if not _below(key, "method")},
    )
    own = {"method": method, **{key: entry[key] for key in COMMON if key in entry}}
    return merge(base, Document(own, dict(_own_origins(document, name)), document.path))


def deviations(document: Document, name: str) -> dict[str, Any]:
    """Return what a method changes in the tables that all methods share, by dotted key."""
    entry = entries(document).get(name, {})
    return {
        f"{table}.{key}": value
        for table in COMMON
        for key, value in (entry[table].items() if isinstance(entry.get(table), dict) else ())
    }


def lost_changes(document: Document) -> Iterator[Problem]:
    """Find ``--set method...``, which would change nothing: a comparison replaces ``[method]`` as a whole."""
    for key, origin in document.origins.items():
        if key.startswith("method.") and origin.startswith("--set "):
            hint = f"a comparison replaces [method] by each preset; set methods.NAME.{key.removeprefix('method.')}"
            yield Problem(origin, key, hint)


def faults(document: Document) -> Iterator[Problem]:
    """Find entries of ``[methods]`` that are none."""
    table = document.tree.get(METHODS_TABLE, {})
    if not isinstance(table, dict):
        yield Problem(document.where(METHODS_TABLE), METHODS_TABLE, "must be tables such as [methods.cgl]")
        return
    for name, entry in table.items():
        key = f"{METHODS_TABLE}.{name}"
        if not isinstance(entry, dict):
            yield Problem(document.where(key), key, f"must be a table such as [methods.{name}]")
        elif isinstance(entry.get("data"), dict) and (others := entry["data"].keys() - OF_DATA):
            found = f"{key}.data.{min(others)}"
            yield Problem(document.where(found), found, "is common to all methods, which may differ in 'augment' alone")
        elif not name.strip() or "," in name or name in ("all", *COMMON):
            yield Problem(document.where(key), key, "is no name for a method: it is empty, reserved or has a comma")


def renamed(problem: Problem, document: Document, name: str) -> Problem | None:
    """File a problem of a variant under the key that the user wrote; None if it is none of this method's."""
    key = problem.key
    own = f"{METHODS_TABLE}.{name}"
    if _below(key, "method"):
        key = own + key.removeprefix("method")
    elif any(_below(key, table) for table in COMMON) and f"{own}.{key}" in document.origins:
        key = f"{own}.{key}"
    else:
        return None
    where = document.where(key) if problem.where == str(document.path) else problem.where
    return replace(problem, where=where, key=key)


def _own_origins(document: Document, name: str) -> Iterator[tuple[str, str]]:
    own = f"{METHODS_TABLE}.{name}"
    for key, origin in document.origins.items():
        if _below(key, own):
            rest = key.removeprefix(own).removeprefix(".")
            common = any(_below(rest, table) for table in COMMON)
            yield rest if common else f"method.{rest}".rstrip("."), origin


def _below(key: str, table: str) -> bool:
    return key == table or key.startswith(f"{table}.")
