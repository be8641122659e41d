"""A comparison that was recorded, read from its folder alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cgl_ignite.errors import InputError

__all__ = ["comparison_runs", "find_comparison", "names_of_runs", "read_cells"]

CELLS = "cells.json"


def find_comparison(folder: Path, which: str) -> Path | None:
    """Find a comparison by id, the beginning of its id, or its folder; None if there is none, or a run is meant.

    Args:
        folder: the tracking folder, whose ``comparisons`` are looked through.
        which: the comparison.

    Raises:
        InputError: several comparisons begin with it.
    """
    if (Path(which) / CELLS).is_file():
        return Path(which)
    found = [path.parent for path in (folder / "comparisons").glob(f"*/{CELLS}")]
    found = [path for path in found if which and path.name.startswith(which)]
    if len(found) > 1:
        raise InputError(f"{len(found)} comparisons begin with {which!r}; give more of the id, or the folder")
    return found[0] if found else None


def read_cells(comparison: Path) -> dict[str, Any]:
    """Read what the folder of a comparison says about it: its cells, costs and status.

    Raises:
        InputError: a file that is damaged, or a comparison that has not begun.
    """
    path = comparison / CELLS
    try:
        facts = dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not the cells of a comparison ({error})") from error
    if "cells" not in facts:
        raise InputError(f"comparison {comparison.name} has not begun; no run of it is there")
    return facts


def comparison_runs(folder: Path, which: str) -> list[tuple[str, Path]] | None:
    """Return method and folder of the finished runs of a comparison, method by method; None if none is meant.

    Raises:
        InputError: a comparison of which no run is finished.
    """
    comparison = find_comparison(folder, which)
    if comparison is None:
        return None
    found = list(_finished_runs(comparison))
    if not found:
        raise InputError(f"comparison {comparison.name} has no finished run yet")
    return found


def names_of_runs(runs: Sequence[tuple[str, str, str]]) -> list[str]:
    """Name runs by their method; different settings of one method bear the id of their first run, too.

    Args:
        runs: method, fingerprint and id of each.

    Example:
        >>> names_of_runs([("cgl", "a", "1"), ("cgl", "b", "2"), ("cgl", "b", "3"), ("dml", "c", "4")])
        ['cgl (1)', 'cgl (2)', 'cgl (2)', 'dml']
    """
    settings: dict[str, dict[str, str]] = {}
    for method, fingerprint, run in runs:
        settings.setdefault(method, {}).setdefault(fingerprint, run)
    return [
        method if len(settings[method]) == 1 else f"{method} ({settings[method][fingerprint][:8]})"
        for method, fingerprint, _ in runs
    ]


def _finished_runs(comparison: Path) -> Iterator[tuple[str, Path]]:
    runs = comparison.absolute().parents[1] / "runs"
    by_name: dict[str, list[Path]] = {}
    for cell in read_cells(comparison)["cells"]:
        done = by_name.setdefault(cell["method"], [])
        if cell["status"] == "finished" and cell["run_id"]:
            done.append(runs / cell["run_id"])
    yield from ((name, run) for name, done in by_name.items() for run in done)
