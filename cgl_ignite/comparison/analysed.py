"""Analyses of the runs of a comparison, kept in its folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from cgl_ignite.errors import InputError
from cgl_ignite.tracking.files import write_atomically

__all__ = ["KeptAnalysis", "keep_analysis", "kept_analyses", "place_of"]


@dataclass(frozen=True)
class KeptAnalysis:
    """What an analysis has found.

    Attributes:
        kind: its name, such as ``flatness``.
        columns: heads of its table; ``rows``: the cells; ``notes``: what the table does not say itself.
        options: those that were given.
        runs: ids of the runs that it is about.
        pictures: their names; each is there as SVG and as PNG.
    """

    kind: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str]
    options: Mapping[str, Any]
    runs: Sequence[str]
    pictures: Sequence[str]


def place_of(comparison: Path) -> Path:
    """Return the folder of the analyses of a comparison."""
    return comparison / "analyses"


def keep_analysis(comparison: Path, analysis: KeptAnalysis, pictures: Mapping[str, bytes]) -> None:
    """Write an analysis and its pictures, by file name, to the folder of a comparison; an older one is replaced."""
    home = place_of(comparison)
    for name, content in pictures.items():
        write_atomically(home / name, content)
    write_atomically(home / f"{analysis.kind}.json", json.dumps(asdict(analysis), indent=1).encode())


def kept_analyses(comparison: Path) -> list[KeptAnalysis]:
    """Read the analyses of a comparison, in the order of their names.

    Raises:
        InputError: a damaged file.
    """
    return [_read(file) for file in sorted(place_of(comparison).glob("*.json"))]


def _read(file: Path) -> KeptAnalysis:
    try:
        tree = json.loads(file.read_text("utf-8"))
        return KeptAnalysis(**{one.name: tree[one.name] for one in fields(KeptAnalysis)})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{file}: not an analysis ({error!r}); remove it, or run cgl analyse again") from error
