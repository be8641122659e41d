"""The part of a page about the analyses of a comparison."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cgl_ignite.comparison.analysed import KeptAnalysis, kept_analyses, place_of
from cgl_ignite.errors import InputError
from cgl_ignite.page.parts import Grid, Picture
from cgl_ignite.page.source import Source

__all__ = ["AnalysedPart", "analysed_parts"]


@dataclass(frozen=True)
class AnalysedPart:
    """What a page says about an analysis; ``command``: what repeats it."""

    title: str
    table: Grid
    notes: Sequence[str]
    pictures: Sequence[Picture]
    command: str


def analysed_parts(source: Source, prefix: str = "") -> list[AnalysedPart]:
    """Gather the analyses of a comparison; runs have none.

    Args:
        prefix: begins the names of the pictures.

    Raises:
        InputError: a damaged file, or a picture that is missing.
    """
    found = kept_analyses(source.folder) if source.folder else []
    return [_part(source, one, prefix) for one in found]


def _part(source: Source, one: KeptAnalysis, prefix: str) -> AnalysedPart:
    home = place_of(source.folder) if source.folder else None
    pictures = [_picture(home / name, f"{prefix}analysis_{name}", one.title) for name in one.pictures if home]
    return AnalysedPart(
        title=one.title,
        table=Grid(one.columns, one.rows),
        notes=[*_outdated(source, one), *one.notes],
        pictures=pictures,
        command=_command(source, one),
    )


def _picture(file: Path, name: str, title: str) -> Picture:
    for suffix in (".svg", ".png"):
        if not Path(f"{file}{suffix}").is_file():
            raise InputError(f"{file}{suffix}: the picture of an analysis is missing; run cgl analyse again")
    return Picture.stored(name, title, file)


def _outdated(source: Source, one: KeptAnalysis) -> Iterator[str]:
    """Say that there are other runs now than those that were analysed."""
    runs = {run.folder.run_id for run in source.finished if run.folder}
    if missing := len(runs - set(one.runs)):
        yield f"{missing} of {len(runs)} runs were not there when this was measured; the command below measures all"


def _command(source: Source, one: KeptAnalysis) -> str:
    words = ["cgl", "analyse", source.name, f"--{one.kind}"]
    for name, value in one.options.items():
        words += [f"--{name}", ",".join(map(str, value)) if isinstance(value, list) else str(value)]
    return shlex.join(words)
