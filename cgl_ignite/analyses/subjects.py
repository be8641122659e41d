"""The runs that are examined: their students with the selected weights, and the data that they were trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from cgl_ignite.comparison.datasets import data_key
from cgl_ignite.comparison.finished import comparison_runs, names_of_runs
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.data import Examples, Splits, choose_stratified, evaluation_batches
from cgl_ignite.engine.evaluate import ROWS, pool_logits
from cgl_ignite.errors import InputError
from cgl_ignite.pipeline.data import RunData, read_data
from cgl_ignite.pipeline.folder import read_run_folder
from cgl_ignite.pool import ModularNetwork, extract_student
from cgl_ignite.progress import report
from cgl_ignite.runs import RunFiles, design_of, open_run, rebuild_pool, refuse_other_data
from cgl_ignite.seeding import stream
from cgl_ignite.student.score import finite
from cgl_ignite.tasks import task_of

__all__ = ["Subject", "by_method", "measured", "open_subjects"]

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Subject:
    """A finished run that is examined.

    Attributes:
        method: its name in tables and pictures; runs of one method differ in their seeds alone.
        read: reads the data that it was trained on.
    """

    method: str
    run: RunFiles
    read: Callable[[], tuple[RunData, Splits]]
    device: torch.device

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return int(self.run.facts["seed"])

    @property
    def id(self) -> str:
        """The id of the run."""
        return str(self.run.facts["run_id"])

    @property
    def named(self) -> dict[str, Any]:
        """Which run it is, as plain values."""
        return {"run": self.id, "method": self.method, "seed": self.seed}

    @property
    def label(self) -> str:
        """What people call the run."""
        return f"{self.method} seed {self.seed}"

    @property
    def selected(self) -> int:
        """The selected student, from 0."""
        return self.run.selected[1]

    @cached_property
    def splits(self) -> Splits:
        """The parts of the data as the run had them.

        Raises:
            InputError: data that cannot be read, or are not those of the run.
        """
        data, splits = self.read()
        refuse_other_data(self.run, data, splits)
        return splits

    def pool(self) -> ModularNetwork:
        """Build the pool with the selected weights, in evaluation mode."""
        pool = rebuild_pool(self.run)
        pool.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return pool.eval()

    def network(self, pool: ModularNetwork, student: int | None = None) -> nn.Sequential:
        """Copy a student out of the pool, the selected one if left out: from normalised inputs to logits."""
        return extract_student(pool, self.selected if student is None else student)

    def batches(self, examples: Examples) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield normalised inputs and targets on the device."""
        for batch in evaluation_batches(examples, self.run.normaliser, ROWS, self.device):
            yield batch.inputs, batch.targets

    def logits(self, pool: ModularNetwork, examples: Examples) -> tuple[Tensor, Tensor]:
        """Run all students of a pool on some rows. Shape: logits (K, N, C) and targets (N,), on the CPU."""
        answers = [
            (finite(pool_logits(pool, inputs)).cpu(), targets.cpu()) for inputs, targets in self.batches(examples)
        ]
        logits, targets = zip(*answers, strict=True)
        return torch.cat(logits, dim=1), torch.cat(targets)

    def some(self, examples: Examples, rows: int, purpose: str) -> Examples:
        """Choose at most this many rows at random, every class with its share; the same for all runs on these data."""
        if rows >= len(examples):
            return examples
        return examples.take(choose_stratified(examples.targets.cpu(), rows, stream(0, f"rows {purpose}")))


def measured(subjects: Sequence[Subject], doing: str, measure: Callable[[Subject], T]) -> dict[Subject, T]:
    """Measure one run after the other, and report how many are done; ``doing`` is the name of the analysis."""
    values, unit = {}, f"of {len(subjects)} runs"
    for number, subject in enumerate(subjects):
        report(doing, number, number / len(subjects), unit)
        values[subject] = measure(subject)
    report(doing, len(values), 1.0, unit)
    return values


def by_method(subjects: Sequence[Subject]) -> dict[str, list[Subject]]:
    """Group runs by their method, in the order in which the methods were given."""
    groups: dict[str, list[Subject]] = {}
    for subject in subjects:
        groups.setdefault(subject.method, []).append(subject)
    return groups


def open_subjects(which: Sequence[str], folder: Path, device: torch.device, root: Path | None = None) -> list[Subject]:
    """Open finished runs, each given as for :func:`cgl_ignite.runs.open_run`, or by the comparison they belong to.

    Args:
        which: runs and comparisons; a run that is named twice is opened once.
        folder: the tracking folder.
        device: where to compute.
        root: the folder of the data sets, if it is not where it was.

    Raises:
        InputError: no such run, one that is not finished or has no weights, or a comparison without a finished run.
    """
    opened = {run.path.resolve(): (method, run) for name in which for method, run in _opened(name, folder)}
    for _, run in opened.values():
        _refuse_several_labels(run)
    data = _Data(root)
    names = names_of_runs([(method, run.facts["fingerprint"], run.facts["run_id"]) for method, run in opened.values()])
    return [Subject(name, run, data.reader(run), device) for name, (_, run) in zip(names, opened.values(), strict=True)]


def _refuse_several_labels(run: RunFiles) -> None:
    data = run.facts["pipeline"]["data"]
    if (task := task_of(data["kind"], data)).several_labels:
        raise InputError(f"run {run.facts['run_id']} has the task {task.name!r}; analyses are of rows with one class")


class _Data:
    """Reads data once for all runs that were trained on them, and divides them once for each seed."""

    def __init__(self, root: Path | None) -> None:
        self._root = root
        self._data: dict[str, RunData] = {}
        self._splits: dict[tuple[str, int], Splits] = {}

    def reader(self, run: RunFiles) -> Callable[[], tuple[RunData, Splits]]:
        """Return what reads the data of a run when it is called."""
        pipeline, seed = design_of(run)[0], int(run.facts["seed"])
        data = pipeline.data if self._root is None else pipeline.data.model_copy(update={"root": self._root})
        return lambda: self._read(pipeline.model_copy(update={"data": data}), seed)

    def _read(self, pipeline: Pipeline, seed: int) -> tuple[RunData, Splits]:
        key = data_key(pipeline)
        if key not in self._data:
            self._data[key] = read_data(pipeline)
        if (key, seed) not in self._splits:
            self._splits[key, seed] = self._data[key].splits(seed)
        return self._data[key], self._splits[key, seed]


def _opened(which: str, folder: Path) -> Iterator[tuple[str, RunFiles]]:
    found = comparison_runs(folder, which)
    if found is None:
        run = _finished(open_run(which, folder))
        tag = _facts(run.path.parent).get("method")
        yield run.facts.get("method") or tag or run.card(run.selected[1]).method, run
        return
    for method, path in found:
        yield method, _finished(open_run(str(path), folder))


def _finished(run: RunFiles) -> RunFiles:
    home = run.path.parent
    if _facts(home) and not (home / "result.json").is_file():
        raise InputError(f"run {run.facts['run_id']} is not finished; go on with it first")
    return run


def _facts(home: Path) -> Mapping[str, Any]:
    """Read the description of a run; a checkpoint that lies alone has none."""
    return read_run_folder(home).facts if (home / "run.json").is_file() else {}
