"""The data of a run: read once, divided and preprocessed once for each seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property

from cgl_ignite.config.dump import toml_value
from cgl_ignite.config.schema import Data, Pipeline
from cgl_ignite.data import DATASETS, ENCODINGS, DataReport, DataSource, Splits, data_root, describe_data, prepare
from cgl_ignite.data.digest import changes
from cgl_ignite.data.identity import identify_data
from cgl_ignite.errors import InputError
from cgl_ignite.tasks import task_of

__all__ = ["RunData", "read_data", "refuse_changed_data"]


@dataclass
class RunData:
    """A data set and the ``[data]`` table that says how it is divided.

    The parts of one seed are kept, so runs of the same seed share them, whatever their method.
    """

    source: DataSource
    table: Data
    _parts: dict[int, Splits] = field(default_factory=dict)
    _reports: dict[int, DataReport] = field(default_factory=dict)

    def splits(self, seed: int) -> Splits:
        """Divide and preprocess the data for a seed; the parts of another seed are dropped."""
        if seed not in self._parts:
            self._parts.clear()
            table, encoding = self.table, ENCODINGS.build(self.table.encoding)
            self._parts[seed] = prepare(
                self.source,
                holdout=table.holdout,
                limit=table.limit,
                seed=seed,
                encoding=encoding,
                test_limit=table.test_limit,
                stratified=table.stratified_holdout,
            )
        return self._parts[seed]

    def report(self, seed: int) -> DataReport:
        """Report the parts that a run of this seed reads."""
        if seed not in self._reports:
            splits = self.splits(seed)
            self._reports[seed] = describe_data(splits, [*self.source.notes, *self._advice(splits)])
        return self._reports[seed]

    def _advice(self, splits: Splits) -> Iterator[str]:
        held, learned = (part.counts(len(splits.classes)) for part in (splits.holdout, splits.train))
        missing = bool(((held == 0) & (learned > 1)).any())
        if missing and self.source.holdout is None and not self.table.stratified_holdout:
            yield "data.stratified_holdout = true keeps the share of every class in the holdout"

    @cached_property
    def identity(self) -> dict[str, str]:
        """What was read (:func:`cgl_ignite.data.identity.identify_data`)."""
        return identify_data(self.source, ENCODINGS.build(self.table.encoding))


def read_data(pipeline: Pipeline) -> RunData:
    """Read the data set of a pipeline and make sure that it has the rows the pipeline asks for.

    Every part is read, so that no fault of a file appears after the training; what was read is kept. The notes of the
    data set say, too, if its validation part replaces the holdout that the pipeline asks for.

    Raises:
        InputError: files that are missing or damaged, or too few rows.
    """
    source: DataSource = DATASETS.build(pipeline.data, data_root(pipeline.data.root))
    task = task_of(pipeline.data.kind, pipeline.data.options)
    if task.several_labels != (source.label_sets is not None):
        labelled = "one class" if source.label_sets is None else "several labels"
        raise InputError(f"a row of data set {pipeline.data.kind!r} has {labelled}; that is not the task {task.name!r}")
    notes = source.notes
    if source.holdout is not None:
        given = {"holdout": pipeline.data.holdout, "stratified_holdout": pipeline.data.stratified_holdout or None}
        unused = [f"data.{key} = {toml_value(value)}" for key, value in given.items() if value is not None]
        notes += tuple(f"the validation part is the holdout, {setting} is not used" for setting in unused)
    holdout = None if source.holdout is None else cache(source.holdout)
    data = RunData(replace(source, test=cache(source.test), holdout=holdout, notes=notes), pipeline.data)
    data.splits(pipeline.seeds[0]).test()
    return data


def refuse_changed_data(before: Mapping[str, str] | None, now: Mapping[str, str], began: str, remedy: str) -> None:
    """Make sure that the data are those with which something began; unknown ones (None) are accepted.

    Args:
        before: the data then.
        now: the data now.
        began: what began, for the message.
        remedy: how to begin anew.

    Raises:
        InputError: they differ, with every difference.
    """
    if before is not None and (differences := list(changes(before, now))):
        named = "; ".join(differences)
        raise InputError(f"the data have changed since {began} began: {named}; restore them, or {remedy}")
