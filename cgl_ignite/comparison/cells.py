"""The cells of a comparison, one run for each method and seed, and the folder that remembers them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from cgl_ignite.analysis.comparison import Cost
from cgl_ignite.config.dump import fingerprint, values
from cgl_ignite.config.rows import Place
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.errors import InputError
from cgl_ignite.pipeline.describe import describe_dataset
from cgl_ignite.pipeline.find import finished_run, unfinished_run
from cgl_ignite.pipeline.folder import Busy, RunFolder, exclusive
from cgl_ignite.tracking import RunInfo
from cgl_ignite.tracking.files import write_atomically
from cgl_ignite.tracking.process import identity

__all__ = [
    "ENDED",
    "Cell",
    "ComparisonFolder",
    "cells_by_row",
    "comparison_info",
    "find_cell",
    "identify",
    "record_rows",
]

ORPHAN_SECONDS = 15.0
"""So long a run whose parent was killed may take to notice."""
ENDED = ("finished", "failed")
"""States of a cell of which nothing is left to do, and the events that bring it there."""


@dataclass
class Cell:
    """One run of a comparison.

    Attributes:
        status: ``waiting``, ``running``, ``finished``, ``failed`` or ``interrupted``.
        reason: why it failed.
        share: so much of its training is done.
        accuracy: of its selected student on the test set, when it has finished.
        holdout_accuracy: the same on the holdout.
    """

    method: str
    seed: int
    status: str = "waiting"
    run_id: str | None = None
    reason: str = ""
    share: float = 0.0
    accuracy: float | None = None
    holdout_accuracy: float | None = None

    @property
    def label(self) -> str:
        """What people call it."""
        return f"{self.method} seed {self.seed}"

    @property
    def ended(self) -> bool:
        """Whether nothing is left to do."""
        return self.status in ENDED

    @property
    def key(self) -> str:
        """What its files in the folder of the comparison are called."""
        return blake2b(self.label.encode(), digest_size=6).hexdigest()


@dataclass
class ComparisonFolder:
    """``<tracking folder>/comparisons/<id>``: ``cells.json`` while it goes on, tables and figures at its end.

    Attributes:
        own: whether this process leads the comparison; one that takes part in it writes no facts.
    """

    path: Path
    facts: dict[str, Any] = field(default_factory=dict)
    own: bool = True

    @classmethod
    @contextmanager
    def opened(cls, comparisons: Path, name: str) -> Iterator[ComparisonFolder]:
        """Open the folder of a comparison, new or known, and be the only one that leads it until the end.

        One that ends before it has begun leaves no file.

        Raises:
            Busy: another process leads this comparison.
            InputError: its file is damaged.
        """
        folder = cls(comparisons / name)
        folder.path.mkdir(parents=True, exist_ok=True)
        with exclusive(folder.path, folder._busy):
            folder.facts = folder._read()
            folder.note(process=identity())
            try:
                yield folder
            finally:
                if folder.facts.keys() == {"process"}:
                    folder._file.unlink()

    def refreshed(self) -> ComparisonFolder:
        """Read again what the leading process has written."""
        self.facts = self._read()
        return self

    @property
    def led(self) -> bool:
        """Whether another process leads the comparison now."""
        try:
            with exclusive(self.path, str):
                return False
        except Busy:
            return True

    @property
    def id(self) -> str:
        """The comparison's id."""
        return self.path.name

    @property
    def costs(self) -> dict[str, Cost]:
        """What the methods cost, once it is known."""
        return {name: Cost(**cost) for name, cost in self.facts.get("costs", {}).items()}

    def note(self, cells: Sequence[Cell] = (), **facts: Any) -> None:
        """Write changed facts, and how far the cells are."""
        if not self.own:
            return
        self.facts |= facts | ({"cells": [asdict(cell) for cell in cells]} if cells else {})
        write_atomically(self._file, json.dumps(self.facts, indent=1).encode())

    @property
    def _file(self) -> Path:
        return self.path / "cells.json"

    def _read(self) -> dict[str, Any]:
        file = self._file
        try:
            return dict(json.loads(file.read_text("utf-8"))) if file.is_file() else {}
        except ValueError as error:
            raise InputError(f"{file}: not the cells of a comparison ({error}); remove it to go on") from error

    def _busy(self) -> str:
        pid = self._read().get("process", {}).get("cgl.pid", "unknown")
        return (
            f"the comparison {self.id} is being worked on by another process, {pid}; wait for its end, stop it, or take"
            " part in it with --join"
        )


def identify(pipelines: Mapping[str, Pipeline], seeds: Sequence[int], equal: str) -> str:
    """Derive the id of a comparison from what decides its numbers; the order of methods and seeds does not."""
    content = [{name: fingerprint(pipeline) for name, pipeline in pipelines.items()}, sorted(seeds), equal]
    return blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=6).hexdigest()


def record_rows(
    pipelines: Mapping[str, Pipeline], places: Mapping[str, Place], deviations: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return what a page needs to know of each row besides its runs, as plain values, in the order of the table.

    ``fingerprint``: of its pipeline; ``place``: where it stands, if rows are more than methods; ``deviations``: what it
    changes in the settings that all share.
    """
    return {
        name: {
            "fingerprint": fingerprint(pipeline),
            "place": asdict(places[name]) if name in places else None,
            "deviations": dict(deviations.get(name, {})),
        }
        for name, pipeline in pipelines.items()
    }


def cells_by_row(cells: Iterable[Cell]) -> dict[str, list[Cell]]:
    """Gather the cells of each row, in their order."""
    gathered: dict[str, list[Cell]] = {}
    for cell in cells:
        gathered.setdefault(cell.method, []).append(cell)
    return gathered


def comparison_info(
    pipelines: Mapping[str, Pipeline],
    seeds: Sequence[int],
    equal: str,
    name: str,
    source: Mapping[str, str],
    data: Mapping[str, str],
) -> RunInfo:
    """Describe a comparison for the tracker; ``data``: what its first row reads."""
    first = next(iter(pipelines.values()))
    return RunInfo(
        experiment=first.tracking.experiment or first.name,
        name=f"{first.name} comparison {name}",
        parameters={"methods": ", ".join(pipelines), "seeds": ", ".join(map(str, seeds)), "equal": equal},
        tags={"cgl.comparison": name, **source},
        dataset=describe_dataset(values(first), data),
    )


def find_cell(
    runs: Path,
    pipeline: Pipeline,
    cell: Cell,
    comparison: str,
    data: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> RunFolder | None:
    """Find the run of a cell: its own, finished or not, or a finished one of another comparison.

    ``data``: only one that has read these (:func:`cgl_ignite.data.identity.identify_data`); ``files``: only one whose
    teachers and weights came from these (:func:`cgl_ignite.pipeline.teachers.identify_files`).

    Raises:
        InputError: another process works on it.
    """
    deadline = clock() + ORPHAN_SECONDS
    while True:
        try:
            own = unfinished_run(runs, pipeline, cell.seed, data, files, comparison=comparison, method=cell.method)
        except InputError:
            if clock() > deadline:
                raise
            time.sleep(0.2)
            continue
        return own or finished_run(runs, pipeline, cell.seed, data, files)
