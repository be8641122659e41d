"""Write pipelines: as TOML that loads back, as a flat row of parameters, as a short hash."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cgl_ignite.config.schema import Pipeline

__all__ = ["DEFAULTS", "differences", "fingerprint", "flat", "flatten", "to_toml", "toml_lines", "toml_value", "values"]

_NO_MATHEMATICS = (
    "name",
    "plugins",
    "seeds",
    "data.root",
    "data.workers",
    "run.batches_per_chunk",
    "run.checkpoint_every",
    "run.device",
    "run.graphs",
    "run.reduce",
    "run.threads",
    "tracking",
)

DEFAULTS = 4
"""Version of the defaults: raised whenever a default value, or what it means, changes."""


def values(pipeline: Pipeline) -> dict[str, Any]:
    """Return every effective value of a pipeline as a tree of TOML values; what is not set is left out."""
    tree: dict[str, Any] = pipeline.model_dump(mode="json", exclude_none=True)
    return tree


def to_toml(tree: Mapping[str, Any]) -> str:
    """Write a tree of values as a TOML file, one short section a table.

    Example:
        >>> print(to_toml({"run": {"epochs": 3}, "method": {"choose": {"kind": "nobody"}}}), end="")
        [run]
        epochs = 3
        <BLANKLINE>
        [method]
        choose = { kind = "nobody" }
    """
    lines = [line for _, line in toml_lines(tree)]
    return "\n".join(lines).lstrip("\n") + "\n"


def toml_lines(tree: Mapping[str, Any], *, inline: bool = True, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the lines of a TOML file with the dotted key each one sets (empty for headers and blank lines).

    ``inline`` writes the tables inside a section on one line; otherwise each gets a section of its own.
    """
    tables = {name: value for name, value in tree.items() if isinstance(value, Mapping)}
    tables = {} if inline and prefix else tables
    for name, value in tree.items():
        if name not in tables:
            yield prefix + name, f"{_bare(name)} = {toml_value(value)}"
    for name, table in tables.items():
        yield "", ""
        yield "", f"[{'.'.join(map(_bare, (prefix + name).split('.')))}]"
        yield from toml_lines(table, inline=inline, prefix=f"{prefix}{name}.")


def toml_value(value: Any) -> str:
    """Write one value as TOML.

    Example:
        >>> toml_value({"kind": "random", "shared": [0, 1], "distinct": True})
        '{ kind = "random", shared = [0, 1], distinct = true }'
    """
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_bare(name)} = {toml_value(item)}" for name, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value).lower() if isinstance(value, bool) else str(value)


def flat(pipeline: Pipeline) -> dict[str, Any]:
    """Return the effective values by dotted key, as parameters for the tracker.

    Lists are written as TOML, so that every value is a number, a truth value or a text.
    """
    return flatten(values(pipeline))


def flatten(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a tree by dotted key, as :func:`flat`."""
    return dict(_flat(tree, ""))


def differences(tree: Mapping[str, Any], pipeline: Pipeline) -> dict[str, tuple[Any, Any]]:
    """Return what differs between the values of another pipeline and those of this one, of what decides the numbers.

    By dotted key a pair: there, here; None where a value is not set.
    """
    there, here = flatten(tree), flat(pipeline)
    keys = [key for key in {**there, **here} if not _is_below(key, _NO_MATHEMATICS)]
    return {key: (there.get(key), here.get(key)) for key in keys if there.get(key) != here.get(key)}


def fingerprint(pipeline: Pipeline) -> str:
    """Hash what decides the numbers of a run besides its seed, to 12 hexadecimal digits.

    Left out are the name, the seeds, where data and results lie, and how the same mathematics is carried out; plugins
    too, as a part of theirs that is used stands there by its kind. Values that equal their defaults are left out as
    well, so that a new key changes no fingerprint.
    """
    changed = dict(_flat(pipeline.model_dump(mode="json", exclude_none=True, exclude_defaults=True), ""))
    kept = {key: value for key, value in changed.items() if not _is_below(key, _NO_MATHEMATICS)}
    return blake2b(json.dumps([DEFAULTS, kept], sort_keys=True).encode(), digest_size=6).hexdigest()


def _flat(tree: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, toml_value(value) if isinstance(value, list) else value


def _is_below(key: str, tables: tuple[str, ...]) -> bool:
    return any(key == table or key.startswith(f"{table}.") for table in tables)


def _bare(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml_value(name)
