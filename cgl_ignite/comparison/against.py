"""One pipeline against another method at the same training cost: the second training of ``cgl run --against``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cgl_ignite.analysis.comparison import Cost, MethodRow, TableRow, compare_methods
from cgl_ignite.analysis.tables import as_json
from cgl_ignite.catalogue import bind
from cgl_ignite.comparison.budget import budget, budgets, with_cost
from cgl_ignite.comparison.datasets import DataStore
from cgl_ignite.comparison.report import read_predictions
from cgl_ignite.config.dump import fingerprint
from cgl_ignite.config.load import Document
from cgl_ignite.config.presets import METHODS
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.config.variants import entries, variant
from cgl_ignite.display import Screen
from cgl_ignite.errors import InputError, choices, nearest
from cgl_ignite.pipeline import RunResult, run

__all__ = ["Opponents", "Outcome", "opponents"]


@dataclass(frozen=True)
class Outcome:
    """What both trainings reached.

    Attributes:
        own: the runs of the pipeline, one for each seed; ``others``: those of the other method.
        row: of the pipeline, with its difference to the other method; ``other``: of the other method.
    """

    own: Sequence[RunResult]
    others: Sequence[RunResult]
    row: TableRow
    other: TableRow

    def tree(self) -> dict[str, Any]:
        """Return the runs of the other method and the difference to it as plain values."""
        row = as_json(self.row)
        return {
            "method": self.other.method,
            "runs": [asdict(result) for result in self.others],
            "epochs": self.other.cost.epochs,
            "multiply_adds": self.other.cost.work,
            **{name: row[name] for name in ("difference", "over_seeds", "over_samples")},
        }


@dataclass(frozen=True)
class Opponents:
    """A pipeline, and another method that trains for as many multiply-adds on the same data.

    Attributes:
        method: the name of the other method.
        pipeline: to be judged, at ``cost``; ``other``: of the other method, at ``other_cost``.
        data: keeps what was read, for all trainings.
    """

    method: str
    pipeline: Pipeline
    other: Pipeline
    cost: Cost
    other_cost: Cost
    data: DataStore = field(repr=False)

    def run(self, *, resume: bool, screen: Screen | None, register: str | None = None) -> Outcome:
        """Train both, one after the other.

        A training of the other method with the same settings and seed that is there already is taken, or gone on with.

        Raises:
            InputError: something that the user gave is wrong.
            RunFailed: a training failed.
            Interrupted: Ctrl-C or SIGTERM; the state is saved.
        """
        own = run(self.pipeline, resume=resume, screen=screen, register=register, read=self.data.read)
        others = run(self.other, reuse=True, screen=screen, read=self.data.read)
        rows = [
            _row("this pipeline", self.pipeline, self.cost, own),
            _row(self.method, self.other, self.other_cost, others),
        ]
        row, other = compare_methods(rows, self.method)
        return Outcome(own, others, row, other)


def opponents(document: Document, method: str) -> Opponents:
    """Bind a document twice, with its own method and with another one, and give both the same training cost.

    The number of epochs of the other method is the one whose multiply-adds come nearest to those of the pipeline. A
    distillation at the end belongs to the pipeline alone.

    Raises:
        ConfigError: everything that is wrong with the document or with the other method.
        InputError: data that cannot be read, an unknown method, or one that is the pipeline's own.
    """
    known = {*METHODS, *entries(document)}
    if method not in known:
        raise InputError(
            f"--against {method}: there is no such method{nearest(method, known)} (known: {choices(known)})"
        )
    pipeline = bind(document)
    other = bind(variant(document, method)).model_copy(update={"distil": None})
    if fingerprint(pipeline) == fingerprint(other):
        raise InputError(f"--against {method}: this pipeline is that already; name another method")
    data = DataStore()
    source = data.read(pipeline).source
    cost, alone = budgets({"own": pipeline, "other": other}, source).values()
    other = with_cost(other, alone, cost.work)
    return Opponents(method, pipeline, other, cost, budget(other, source), data)


def _row(name: str, pipeline: Pipeline, cost: Cost, results: Sequence[RunResult]) -> MethodRow:
    """Gather the runs of a method."""
    folders = {result.seed: Path(result.checkpoint).parent for result in results}
    return MethodRow(
        name=name,
        dataset=pipeline.data.kind,
        backbone=pipeline.backbone.kind,
        cost=cost,
        runs={result.seed: result for result in results},
        predictions={seed: kept for seed, folder in folders.items() if (kept := read_predictions(folder))},
    )
