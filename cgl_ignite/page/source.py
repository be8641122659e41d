"""What a page is about: the runs of a comparison, finished or not, or runs that were named one by one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from cgl_ignite.analysis.comparison import Cost, MethodRow
from cgl_ignite.comparison.finished import find_comparison, names_of_runs, read_cells
from cgl_ignite.comparison.report import ComparisonReport, read_paths, read_predictions
from cgl_ignite.config.rows import Place, reference_among
from cgl_ignite.errors import InputError
from cgl_ignite.pipeline.find import find_run
from cgl_ignite.pipeline.folder import RunFolder, read_run_folder
from cgl_ignite.pipeline.result import read_result

__all__ = ["PageRun", "Source", "open_source"]

UNKNOWN = Cost(steps=0, passes=0, multiply_adds=0.0, work=0.0)


@dataclass(frozen=True)
class PageRun:
    """A run of the page, or one that is still to come.

    Attributes:
        folder: None if it has not begun.
        status: ``finished``, or what it is instead.
        reason: why it failed.
    """

    method: str
    seed: int
    folder: RunFolder | None
    status: str = "finished"
    reason: str = ""

    @cached_property
    def setting(self) -> dict[str, Any]:
        """The effective values that the run was started with."""
        return self.folder.read_setting() if self.folder else {}

    def artifact(self, name: str) -> dict[str, Any]:
        """Read a JSON file that was kept with the run; empty if there is none."""
        path = self.folder.path / "artifacts" / name if self.folder else Path()
        try:
            return dict(json.loads(path.read_text("utf-8"))) if path.is_file() else {}
        except ValueError as error:
            raise InputError(f"{path}: damaged ({error})") from error


@dataclass(frozen=True)
class Source:
    """All that a page tells of.

    Attributes:
        name: the id of the comparison, or what the runs are called.
        folder: of the comparison; None for runs.
        runs: finished or not, method by method.
        costs: of the methods, where they are known.
        equal: what is the same for all methods of a comparison.
        group: the run of the tracker that the comparison is.
        rows: what the comparison has recorded of its rows (:func:`cgl_ignite.comparison.cells.record_rows`); empty for
            runs, and for a comparison of an older version.
        paper: the table or figure of the paper whose numbers stand beside the measured ones.
    """

    name: str
    folder: Path | None
    runs: Sequence[PageRun]
    costs: Mapping[str, Cost]
    equal: str
    group: str | None
    rows: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    paper: str | None = None

    @cached_property
    def places(self) -> dict[str, Place]:
        """Where each row stands, if rows are more than methods."""
        return {name: Place.read(row["place"]) for name, row in self.rows.items() if row["place"]}

    @property
    def methods(self) -> dict[str, list[PageRun]]:
        """The runs by method, in the order of the table."""
        groups: dict[str, list[PageRun]] = {name: [] for name in self.rows}
        for run in self.runs:
            groups.setdefault(run.method, []).append(run)
        return groups

    @property
    def finished(self) -> list[PageRun]:
        """The runs that are finished."""
        return [run for run in self.runs if run.status == "finished"]

    @property
    def missing(self) -> list[PageRun]:
        """The runs that are not finished."""
        return [run for run in self.runs if run.status != "finished"]

    @property
    def report(self) -> ComparisonReport:
        """Table and figures of the methods with a finished run."""
        rows = [self._row(name, runs) for name, runs in self.methods.items()]
        rows = [row for row in rows if row.runs or row.failed]
        reference = reference_among([row.name for row in rows], self.places)
        return ComparisonReport(self.folder or Path(), rows, reference, self.equal)

    def _row(self, name: str, runs: Sequence[PageRun]) -> MethodRow:
        done = {run.seed: run.folder for run in runs if run.status == "finished" and run.folder}
        results = {seed: replace(read_result(run.result), method=name) for seed, run in done.items()}
        first = next(iter(results.values()), None)
        found = {seed: read_predictions(run.path) for seed, run in done.items()}
        return MethodRow(
            name=name,
            dataset=first.dataset if first else "",
            backbone=first.backbone if first else "",
            cost=self.costs.get(name, UNKNOWN),
            runs=results,
            failed={run.seed: run.reason for run in runs if run.status == "failed"},
            predictions={seed: kept for seed, kept in found.items() if kept is not None},
            deviations=self.rows.get(name, {}).get("deviations", {}),
            place=self.places.get(name),
            paper=self.paper,
            paths=[read_paths(run.path) for run in done.values()],
        )


def open_source(which: Sequence[str], folder: Path) -> Source:
    """Open a comparison, or runs.

    Args:
        which: one comparison, by id or folder; or runs, as for :func:`cgl_ignite.pipeline.find.find_run`.
        folder: the tracking folder.

    Raises:
        InputError: neither of them, a comparison among other things, a run that is not finished, or nothing finished.
    """
    comparisons = {name: found for name in which if (found := find_comparison(folder, name))}
    if comparisons and len(which) > 1:
        raise InputError(
            f"a report is about one comparison, or about runs; {next(iter(comparisons))!r} is a comparison"
        )
    source = _comparison(*comparisons.values()) if comparisons else _runs(which, folder)
    if not source.finished:
        raise InputError(f"comparison {source.name} has no finished run yet")
    return source


def _comparison(path: Path) -> Source:
    facts, runs = read_cells(path), path.absolute().parents[1] / "runs"
    cells = [_cell(cell, runs) for cell in facts["cells"]]
    return Source(
        name=path.absolute().name,
        folder=path,
        runs=cells,
        costs={name: Cost(**cost) for name, cost in facts.get("costs", {}).items()},
        equal=facts.get("equal", "epochs"),
        group=facts.get("group"),
        rows=facts.get("rows", {}),
        paper=facts.get("paper"),
    )


def _cell(cell: Mapping[str, Any], runs: Path) -> PageRun:
    home = runs / cell["run_id"] if cell["run_id"] else None
    folder = read_run_folder(home) if home and (home / "run.json").is_file() else None
    status, reason = cell["status"], cell.get("reason", "")
    if status == "finished" and not (folder and folder.result.is_file()):
        status, reason = "missing", "its run is not in the tracking folder any more"
    return PageRun(cell["method"], cell["seed"], folder, status, reason)


def _runs(which: Sequence[str], folder: Path) -> Source:
    found = {run.path.resolve(): run for name in which for run in [find_run(folder / "runs", name)]}
    runs = list(_named(list(found.values())))
    name = f"run {runs[0].folder.run_id}" if len(runs) == 1 and runs[0].folder else f"{len(runs)} runs"
    return Source(name, None, runs, {}, "epochs", None)


def _named(found: Sequence[RunFolder]) -> Iterator[PageRun]:
    for run in found:
        if not run.complete:
            raise InputError(f"run {run.run_id} is not finished; go on with it first")
    names = names_of_runs([(read_result(run.result).method, run.facts["fingerprint"], run.run_id) for run in found])
    yield from (PageRun(name, int(run.facts["seed"]), run) for name, run in zip(names, found, strict=True))
