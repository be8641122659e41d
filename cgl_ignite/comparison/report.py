"""What a comparison leaves behind: its table in four formats, its figures, and the values of both."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cgl_ignite.analysis.agreement import agreement, agreements_figure
from cgl_ignite.analysis.canvas import as_png, as_svg, differ
from cgl_ignite.analysis.comparison import MethodRow, Predictions, TableRow, compare_methods
from cgl_ignite.analysis.comparison_figures import accuracy_figure, curves_figure
from cgl_ignite.analysis.cost_curves import cost_figure, curves_of
from cgl_ignite.analysis.paper import STATEMENT
from cgl_ignite.analysis.tables import as_csv, as_json, as_latex, as_markdown
from cgl_ignite.comparison.cells import Cell
from cgl_ignite.comparison.pictures import axis_figures
from cgl_ignite.errors import InputError
from cgl_ignite.pipeline.artifacts import PREDICTIONS
from cgl_ignite.pipeline.result import RunResult, average_over_seeds, read_result
from cgl_ignite.pool.routing import PATHS
from cgl_ignite.tracking.files import read_rows, write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["ComparisonReport", "read_method", "read_paths", "read_predictions"]


@dataclass(frozen=True)
class ComparisonReport:
    """The outcome of a comparison.

    Attributes:
        folder: of the comparison, with its tables and figures.
        methods: with their finished and failed runs.
        reference: the method that the others are measured against.
        equal: what is the same for all methods, ``epochs``, ``steps`` or ``cost``.
    """

    folder: Path
    methods: Sequence[MethodRow]
    reference: str
    equal: str

    @cached_property
    def rows(self) -> list[TableRow]:
        """The rows of the table; their intervals are worked out once."""
        return compare_methods(self.methods, self.reference)

    @property
    def runs(self) -> list[RunResult]:
        """The finished runs, method by method."""
        return [run for method in self.methods for run in method.runs.values() if isinstance(run, RunResult)]

    @property
    def failed(self) -> list[tuple[str, int, str]]:
        """Method, seed and reason of every failed run."""
        return [(method.name, seed, why) for method in self.methods for seed, why in method.failed.items()]

    def tree(self) -> dict[str, Any]:
        """Return everything as plain values: all runs, mean and deviation by method, and the table."""
        values = {method.name: average_over_seeds(_results(method)) for method in self.methods if method.runs}
        return {
            "comparison": self.folder.name,
            "folder": str(self.folder),
            "reference": self.reference,
            "equal": self.equal,
            "runs": [asdict(run) for run in self.runs],
            "mean": {name: {key: mean for key, (mean, _) in pairs.items()} for name, pairs in values.items()},
            "std": {name: {key: std for key, (_, std) in pairs.items()} for name, pairs in values.items()},
            "failed": [{"method": name, "seed": seed, "reason": why} for name, seed, why in self.failed],
            "table": [as_json(row) for row in self.rows],
            "paper": STATEMENT,
        }

    def markdown(self) -> str:
        """Return the table as Markdown."""
        return as_markdown(self.rows, self.reference, self.equal)

    def write(self, folder: Path) -> list[Path]:
        """Write tables and figures to a folder and return their files."""
        rows = self.rows
        texts = {
            "comparison.md": self.markdown(),
            "comparison.tex": as_latex(rows, self.reference, self.equal),
            "comparison.csv": as_csv(rows),
            "comparison.json": json.dumps(self.tree(), indent=1),
        }
        contents = {name: text.encode() for name, text in texts.items()}
        contents |= {name: as_png(figure) for name, figure in self._figures(rows).items()}
        for name, figure in axis_figures(self.methods).items():
            contents |= {f"{name}.png": as_png(figure), f"{name}.svg": as_svg(figure)}
        for name, content in contents.items():
            write_atomically(folder / name, content)
        return [folder / name for name in contents]

    def figures(self) -> dict[str, Figure]:
        """Draw the figures, by the names of their files; those along the axes first."""
        along = {f"{name}.png": figure for name, figure in axis_figures(self.methods).items()}
        return along | self._figures(self.rows)

    def _figures(self, rows: Sequence[TableRow]) -> dict[str, Figure]:
        if not self.runs:
            return {}
        finished = [row for row in rows if row.accuracies]
        figures = {"accuracy.png": accuracy_figure({row.method: list(row.accuracies.values()) for row in finished})}
        journals = {
            method.name: [read_rows(Path(run.checkpoint).parent / "metrics.jsonl") for run in _results(method)]
            for method in self.methods
            if method.runs
        }
        figures["holdout.png"] = curves_figure(
            journals, "holdout/accuracy_mean", "Holdout accuracy in percent", "mean of the students"
        )
        if differ(row.cost.work for row in finished):
            figures["cost.png"] = cost_figure(curves_of(finished))
        if any(row.diversity for row in rows):
            detail = "mean L2 distance of the predictions of two students on the holdout"
            figures["diversity.png"] = curves_figure(journals, "holdout/diversity", "Diversity", detail)
        tables = {method.name: _mean_agreement(method) for method in self.methods}
        groups = {name: table for name, table in tables.items() if table is not None and len(table) > 1}
        if groups:
            figures["agreement.png"] = agreements_figure(groups)
        return figures


def read_predictions(run: Path) -> Predictions | None:
    """Read what the students of a finished run predicted; None if it was not kept.

    Raises:
        InputError: a file that holds something else.
    """
    path = run / "artifacts" / PREDICTIONS
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as kept:
            return Predictions(kept["predicted"], kept["targets"], int(kept["selected"]))
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: not the predictions of a run ({error})") from error


def read_method(row: MethodRow, cells: Sequence[Cell], runs: Path) -> MethodRow:
    """Give a row of the table what the runs of its cells have left in the folder of all runs.

    Raises:
        InputError: a damaged result, or damaged predictions.
    """
    done = {cell.seed: runs / cell.run_id for cell in cells if cell.run_id}
    results = {seed: run / "result.json" for seed, run in done.items()}
    predictions = {seed: read_predictions(run) for seed, run in done.items()}
    return replace(
        row,
        runs={seed: replace(read_result(file), method=row.name) for seed, file in results.items() if file.exists()},
        failed={cell.seed: cell.reason for cell in cells if cell.status == "failed"},
        predictions={seed: one for seed, one in predictions.items() if one},
        paths=[read_paths(run) for run in done.values()],
    )


def read_paths(run: Path) -> list[list[int]]:
    """Read the paths of the students of a finished run, (K, L); an empty list if they were not kept."""
    file = run / "artifacts" / PATHS
    paths: list[list[int]] = json.loads(file.read_text("utf-8")) if file.is_file() else []
    return paths


def _results(method: MethodRow) -> list[RunResult]:
    return [run for run in method.runs.values() if isinstance(run, RunResult)]


def _mean_agreement(method: MethodRow) -> Any:
    tables = [agreement(predictions.predicted) for predictions in method.predictions.values()]
    return np.mean(tables, axis=0) if tables else None
