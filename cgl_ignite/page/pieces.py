"""The tables and figures of the paper that have been run: which comparison is which of ``pipelines/paper``."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cgl_ignite.catalogue import bind_rows
from cgl_ignite.comparison.finished import CELLS, read_cells
from cgl_ignite.config.dump import fingerprint
from cgl_ignite.config.load import load_document
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.errors import InputError
from cgl_ignite.page.source import Source, open_source

__all__ = ["FOLDER", "FoundPiece", "find_pieces"]

FOLDER = Path("pipelines/paper")
SIZES = {"full": False, "small": True}
"""At the paper's size, or as ``[small]`` has it; the former is shown where there are both."""


@dataclass(frozen=True)
class FoundPiece:
    """A table or figure of the paper, and the comparison that has run it.

    Attributes:
        file: its pipeline file.
        title: the first sentence of the comment at its top.
        size: ``full``, ``small``, or empty if it has not been run.
        cells: the number of runs of this size; of the full size if it has not been run.
        full: the pipelines of its rows at the paper's size.
        source: its runs; None if it has not been run.
    """

    file: Path
    title: str
    size: str
    cells: int
    full: Mapping[str, Pipeline]
    source: Source | None


@dataclass(frozen=True)
class _Wanted:
    """What a comparison must be to be a piece in one size."""

    prints: Mapping[str, str]
    equal: str
    cells: int

    def is_met(self, prints: Mapping[str, str], equal: str) -> bool:
        return bool(prints) and prints.items() <= self.prints.items() and equal == self.equal


def find_pieces(files: Path, folder: Path) -> list[FoundPiece]:
    """Look through all comparisons for those that trained rows of the pipeline files.

    A comparison counts if all of its rows are rows of the file with exactly these settings; it may lack some. Of
    several, that with the most finished runs is taken.

    Args:
        files: the folder of the pipeline files, one for each table or figure.
        folder: the tracking folder.

    Raises:
        InputError: no such files, or files that are wrong.
    """
    paths = sorted(files.glob("*.toml"))
    if not paths:
        raise InputError(f"there is no pipeline file in {files}; name the folder that holds those of the paper")
    recorded = list(_recorded(folder))
    return [_piece(path, recorded) for path in paths]


def _recorded(folder: Path) -> Iterator[tuple[Path, dict[str, str], str]]:
    """Yield every comparison that can be read, with the fingerprints of its rows and what is equal for them."""
    for file in sorted((folder / "comparisons").glob(f"*/{CELLS}")):
        with suppress(InputError):
            facts = read_cells(file.parent)
            prints = {name: row["fingerprint"] for name, row in facts.get("rows", {}).items()}
            yield file.parent, prints, facts.get("equal", "epochs")


def _piece(path: Path, recorded: Sequence[tuple[Path, Mapping[str, str], str]]) -> FoundPiece:
    wanted: dict[str, _Wanted] = {}
    full: dict[str, Pipeline] = {}
    for size, small in SIZES.items():
        bound = bind_rows(load_document(path, small=small))
        full = full or dict(bound.pipelines)
        prints = {name: fingerprint(pipeline) for name, pipeline in bound.pipelines.items()}
        seeds = next(iter(bound.pipelines.values())).seeds
        wanted[size] = _Wanted(prints, bound.plan.table.equal, len(prints) * len(seeds))
    for size, one in wanted.items():
        found = [source for home, prints, equal in recorded if one.is_met(prints, equal) and (source := _opened(home))]
        if found:
            best = max(found, key=lambda source: len(source.finished))
            return FoundPiece(path, _title(path), size, one.cells, full, best)
    return FoundPiece(path, _title(path), "", wanted["full"].cells, full, None)


def _opened(home: Path) -> Source | None:
    """Open a comparison; None if none of its runs is finished."""
    with suppress(InputError):
        return open_source([str(home)], home.parents[1])
    return None


def _title(path: Path) -> str:
    """Return the first sentence of the comment at the top of a file, or the name of the file."""
    comment = itertools.takewhile(lambda line: line.startswith("#"), path.read_text("utf-8").splitlines())
    return " ".join(line.lstrip("# ") for line in comment).partition(". ")[0].rstrip(".") or path.stem
