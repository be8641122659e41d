"""A comparison that goes on: its cells are worked off, here or in child processes, and compared."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from cgl_ignite.analysis.comparison import Cost, MethodRow
from cgl_ignite.comparison.budget import budgets, with_epochs, with_passes
from cgl_ignite.comparison.cells import Cell, ComparisonFolder, cells_by_row, comparison_info, find_cell, record_rows
from cgl_ignite.comparison.datasets import DataStore, data_key, rows_by_data
from cgl_ignite.comparison.executor import Executor, MakeExecutor
from cgl_ignite.comparison.in_process import InProcess
from cgl_ignite.comparison.report import ComparisonReport, read_method
from cgl_ignite.comparison.sharing import POLL_SECONDS, SharedCells
from cgl_ignite.comparison.task import Task
from cgl_ignite.config.rows import Place, reference_among
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.display import Board, Screen
from cgl_ignite.errors import Interrupted
from cgl_ignite.handlers.interruption import terminable
from cgl_ignite.pipeline.abandoned import close_abandoned
from cgl_ignite.pipeline.data import refuse_changed_data
from cgl_ignite.pipeline.describe import run_info
from cgl_ignite.pipeline.folder import RunFolder, read_run_folder
from cgl_ignite.pipeline.hand_over import sync_run
from cgl_ignite.pipeline.result import read_result
from cgl_ignite.pipeline.teachers import identify_files
from cgl_ignite.tracking import Group, Status, Tracker, is_finished, provenance, recorded_in

__all__ = ["Comparison"]


@dataclass
class Comparison:
    """A comparison: every row of ``pipelines`` with every seed.

    Args:
        runs: the folder of all runs.
        folder: of the comparison.
        deviations: what a method changes in the settings that all share.
        places: where each row stands, if rows are more than methods.
        paper: the table or figure of the paper whose numbers stand beside the measured ones.
        cells: one for each seed and row; ``costs``: of each row. Both are found out at the beginning.
        identities: what the rows read, by :func:`cgl_ignite.comparison.datasets.data_key`.
        source: what the comparison was started by, as tags of the tracker.
        executor: of the cells, if they are not worked off in this process.
    """

    pipelines: dict[str, Pipeline]
    seeds: list[int]
    equal: str
    runs: Path
    folder: ComparisonFolder
    board: Board
    tracker: Tracker
    deviations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict)
    paper: str | None = None
    cells: list[Cell] = field(default_factory=list)
    costs: dict[str, Cost] = field(default_factory=dict)
    identities: dict[str, Mapping[str, str]] = field(default_factory=dict)
    data: DataStore = field(default_factory=DataStore)
    source: Mapping[str, str] = field(default_factory=provenance)
    executor: Executor | None = None

    @cached_property
    def shared(self) -> SharedCells:
        """Who works on which cell."""
        return SharedCells(self.folder.path, self._show)

    @property
    def _status(self) -> Status:
        return "FAILED" if any(cell.status == "failed" for cell in self.cells) else "FINISHED"

    @property
    def reference(self) -> str:
        """What the others are measured against: a method, a variant or a row."""
        return reference_among(list(self.pipelines), self.places)

    def run(self, jobs: int | None, screen: Screen | None, make: MakeExecutor | None = None) -> ComparisonReport:
        """Work off the cells that are left and draw up the report.

        Args:
            jobs: so many at a time, for the board; None if nobody knows.
            screen: shows a run in this process.
            make: makes the executor of the cells; None works them off in this process.

        Raises:
            InputError: data that cannot be read, or others than the comparison began with.
        """
        close_abandoned(self.runs, self.tracker, self.board.note)
        self._begin(jobs, make)
        rows = record_rows(self.pipelines, self.places, self.deviations)
        self.folder.note(self.cells, rows=rows, paper=self.paper)
        left = [cell for cell in self.cells if not cell.ended]
        if left or self.folder.facts.get("status") != self._status or not self._recorded:
            self._work_off(left, screen)
        else:
            self.report().write(self.folder.path)
        self.board.stop()
        return self.report()

    def help(self, jobs: int | None, screen: Screen | None, make: MakeExecutor | None = None) -> None:
        """Take free cells of a comparison that another process leads, until that one ends; see :meth:`run`."""
        self._begin(jobs, make)
        try:
            with terminable():
                while self.folder.led:
                    if "group" in self.folder.refreshed().facts:
                        self._share(self.cells, self.folder.facts["group"], screen)
                    time.sleep(POLL_SECONDS)
        except KeyboardInterrupt:
            raise Interrupted("interrupted") from None
        finally:
            self.board.stop()

    def _begin(self, jobs: int | None, make: MakeExecutor | None) -> None:
        """Read all data, find out which cells are finished, and show them."""
        if self.cells:
            return
        self._read()
        groups = rows_by_data(self.pipelines).values()
        self.cells = [Cell(name, seed) for group in groups for seed in self.seeds for name in group]
        self.executor = make(self.folder.path, self._tell) if make else None
        going_on = self.executor.going_on(self.cells) if self.executor else ()
        for cell in self.cells:
            if cell not in going_on and self.shared.claims.take(cell):
                self._find(cell)
                self.shared.claims.release(cell)
        work = {name: cost.work for name, cost in self.costs.items()}
        self.board.start(self.folder.path, self.cells, work, jobs)

    def _find(self, cell: Cell) -> None:
        """Take over the finished run of a cell, if there is one."""
        run = self._found(cell)
        if run is not None and run.complete:
            cell.status, cell.run_id, cell.share = "finished", run.run_id, 1.0
            result = read_result(run.result)
            cell.accuracy, cell.holdout_accuracy = result.test_accuracy, result.holdout_accuracy
            if self.folder.own:
                self._sync(cell, run, None)
        elif self.folder.own:
            self.shared.claims.forget(cell)

    def _found(self, cell: Cell) -> RunFolder | None:
        """Find the run of a cell, unless its teachers or weights have changed since; a note says so."""
        pipeline, data = self.pipelines[cell.method], self._identity(cell)
        files = identify_files(pipeline)
        run = find_cell(self.runs, pipeline, cell, self.folder.id, data, files)
        if run is None and files and (before := find_cell(self.runs, pipeline, cell, self.folder.id, data)):
            changed = [name for name, digest in files.items() if before.facts["files"].get(name) != digest]
            since = f"has changed since run {before.run_id[:8]}; trained anew"
            self.board.note(f"{cell.label}: {', '.join(changed)} {since}")
        return run

    def _sync(self, cell: Cell, run: RunFolder, group: str | None) -> None:
        """Send the tracker what it missed of a finished run, which gets this group if it has none."""
        info = run_info(self.pipelines[cell.method], cell.seed, run.facts.get("group") or group, run.facts)
        sync_run(run, self.tracker, info, self.board.note)

    @property
    def _recorded(self) -> bool:
        """Whether the tracker has the whole comparison, or none of its runs."""
        known = any(recorded_in(self.runs / cell.run_id, self.tracker) for cell in self.cells if cell.run_id)
        return not known or is_finished(self.tracker, self.folder.facts.get("group"), self.board.note)

    def report(self) -> ComparisonReport:
        """Read what the finished runs have left."""
        cells = cells_by_row(self.cells)
        methods = [
            read_method(
                MethodRow(
                    name=name,
                    dataset=pipeline.data.kind,
                    backbone=pipeline.backbone.kind,
                    cost=self.costs[name],
                    runs={},
                    deviations=self.deviations.get(name, {}),
                    place=self.places.get(name),
                    paper=self.paper,
                ),
                cells[name],
                self.runs,
            )
            for name, pipeline in self.pipelines.items()
        ]
        return ComparisonReport(self.folder.path, methods, self.reference, self.equal)

    def _read(self) -> None:
        """Read all data, show them, and find out what the rows cost; with equal steps or cost this sets their length.

        Raises:
            InputError: other data than those with which the comparison began.
        """
        began = self.folder.facts.get("datasets", {})
        for key, rows in rows_by_data(self.pipelines).items():
            data = self.data.read(next(iter(rows.values())))
            before = began.get(key, None if began else self.folder.facts.get("data"))
            remedy = f"move or remove {self.folder.path} to begin anew"
            refuse_changed_data(before, data.identity, f"comparison {self.folder.id}", remedy)
            self.identities[key] = data.identity
            self.board.data(data.report(self.seeds[0]))
            known = self.folder.costs
            self.costs |= known if rows.keys() <= known.keys() else budgets(rows, data.source, self.equal)
        self.costs = {name: self.costs[name] for name in self.pipelines}
        for name, cost in self.costs.items():
            one = with_passes(self.pipelines[name], cost.passes)
            self.pipelines[name] = with_epochs(one, cost.epochs) if cost.epochs else one

    def _identity(self, cell: Cell) -> Mapping[str, str]:
        return self.identities[data_key(self.pipelines[cell.method])]

    def _work_off(self, left: Sequence[Cell], screen: Screen | None) -> None:
        costs = {name: asdict(cost) for name, cost in self.costs.items()}
        first = next(iter(self.identities.values()))
        data = {"data": first, **({"datasets": self.identities} if len(self.identities) > 1 else {})}
        self.folder.note(self.cells, status="RUNNING", costs=costs, equal=self.equal, **data)
        info = comparison_info(self.pipelines, self.seeds, self.equal, self.folder.id, self.source, first)
        before = self.folder.facts.get("group")
        group = Group(self.tracker, info, before, self.board.note)
        self.folder.note(self.cells, group=group.id)
        for cell in self.cells if before is None else ():
            if cell.status == "finished" and cell.run_id:
                self._sync(cell, read_run_folder(self.runs / cell.run_id), group.id)
        with self._ending(group):
            self._share(left, group.id, screen)

    def _share(self, cells: Sequence[Cell], group: str | None, screen: Screen | None) -> None:
        """Work off the cells that no other process takes."""
        if self.executor is not None:
            self.data.forget()
        errors = self.folder.path / "logs" / "errors.txt"
        here = InProcess(self.pipelines, self.data, self.tracker, screen, self.board.note, self._tell, errors)
        executor, leads = self.executor or here, self.folder.own
        task = partial(self._task, group=group)
        self.shared.work_off(cells, executor.work_off, task, lambda: leads or self.folder.led)

    def _task(self, cell: Cell, group: str | None) -> Task:
        tags = {"method": cell.method, "comparison": self.folder.id}
        return Task.of(self.pipelines[cell.method], cell.seed, tags, group, self._identity(cell), self.source)

    def _tell(self, cell: Cell, event: Mapping[str, Any]) -> None:
        """Take up what has become of a cell, remember it and show it."""
        kind = event["event"]
        if kind == "note":
            self.board.note(f"{cell.label}: {event['text']}")
            return
        if kind == "progress":
            cell.share = event["share"]
        else:
            cell.status = {"started": "running"}.get(kind, kind)
            cell.run_id, cell.reason = event.get("run_id"), event.get("reason", "")
            cell.accuracy, cell.holdout_accuracy = event.get("accuracy"), event.get("holdout_accuracy")
            cell.share = 1.0 if kind == "finished" else cell.share
            self.folder.note(self.cells)
        self.shared.publish(cell)
        self.board.update(cell)

    def _show(self, cell: Cell) -> None:
        """Remember and show what has become of a cell in another process."""
        self.folder.note(self.cells)
        self.board.update(cell)

    @contextmanager
    def _ending(self, group: Group) -> Iterator[None]:
        """Give the comparison the status that is true; between two runs a signal acts at once."""
        try:
            with terminable():
                yield
                report = self.report()
                self._hand_over(report, group)
        except (Interrupted, KeyboardInterrupt) as error:
            self._close(group, "KILLED")
            raise error if isinstance(error, Interrupted) else Interrupted("interrupted") from None
        except BaseException:
            self._close(group, "FAILED")
            raise
        self._close(group, self._status)

    def _close(self, group: Group, status: Status) -> None:
        self.board.stop()
        try:
            group.close(status)
        finally:
            self.folder.note(self.cells, status=status)

    def _hand_over(self, report: ComparisonReport, group: Group) -> None:
        """Write tables and figures, and give them to the tracker."""
        for path in report.write(self.folder.path):
            group.file(path)
        group.describe(report.markdown())
