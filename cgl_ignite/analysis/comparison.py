"""One row for each method of a comparison: what its runs measured, what it cost, how sure a difference is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from cgl_ignite.analysis.paper import Printed, paper_result, printed_in
from cgl_ignite.analysis.sharing import sharing_ratio
from cgl_ignite.analysis.statistics import (
    Interval,
    Spread,
    bootstrap_interval,
    mean_difference,
    paired_interval,
    spread,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cgl_ignite.config.rows import Place

__all__ = ["Cost", "Difference", "FinishedRun", "MethodRow", "Predictions", "TableRow", "compare_methods"]


class FinishedRun(Protocol):
    """What is read of the result of a run."""

    @property
    def seed(self) -> int: ...
    @property
    def holdout_accuracy(self) -> float: ...
    @property
    def test_accuracy(self) -> float: ...
    @property
    def mean_test_accuracy(self) -> float: ...
    @property
    def diversity(self) -> float | None: ...
    @property
    def metrics(self) -> Mapping[str, Any] | None: ...
    @property
    def parameters(self) -> int: ...
    @property
    def parameters_student(self) -> int: ...
    @property
    def train_seconds(self) -> float: ...


@dataclass(frozen=True)
class Cost:
    """What a run of a method costs, known before it starts.

    Attributes:
        steps: of the optimizer, in the whole training.
        passes: ``run.passes_per_epoch``.
        multiply_adds: forward and backward, of all students together, for one training sample.
        work: multiply-adds of the whole training.
        epochs: of the training; 0 in files of older versions, which did not say.
        evaluation: multiply-adds of all students for one row of an evaluation; 0 in files of older versions.
    """

    steps: int
    passes: int
    multiply_adds: float
    work: float
    epochs: int = 0
    evaluation: float = 0.0


@dataclass(frozen=True, eq=False)
class Predictions:
    """What the students of a run predict on the test set: (K, N), the right classes (N,), and who was selected."""

    predicted: NDArray[Any]
    targets: NDArray[Any]
    selected: int

    @property
    def hits(self) -> NDArray[Any]:
        """Where the selected student is right, bool (N,)."""
        hits: NDArray[Any] = self.predicted[self.selected] == self.targets
        return hits


@dataclass(frozen=True)
class MethodRow:
    """A method of a comparison with its runs by seed.

    Attributes:
        failed: seeds whose run failed, and why.
        predictions: by seed, where they were kept.
        deviations: values of ``[optim]`` and ``[run]`` that hold for this method alone, by dotted key.
        place: where the row stands, if rows are more than methods.
        paper: the table or figure of the paper whose numbers stand beside the measured ones.
        paths: of the students of every run, (K, L) each.
    """

    name: str
    dataset: str
    backbone: str
    cost: Cost
    runs: Mapping[int, FinishedRun]
    failed: Mapping[int, str] = field(default_factory=dict)
    predictions: Mapping[int, Predictions] = field(default_factory=dict)
    deviations: Mapping[str, Any] = field(default_factory=dict)
    place: Place | None = None
    paper: str | None = None
    paths: Sequence[Sequence[Sequence[int]]] = ()

    @property
    def sharing(self) -> float | None:
        """The mean sharing ratio of the runs; None for one student, and where rows are methods or their lengths."""
        varied = self.place is not None and self.place.length is None
        ratios = [sharing_ratio(table) for table in self.paths] if varied else []
        known = [ratio for ratio in ratios if ratio is not None]
        return fmean(known) if known else None

    @property
    def printed(self) -> Printed | None:
        """What the paper prints for this row."""
        if self.place is None:
            return paper_result(self.dataset, self.backbone, self.name)
        if self.paper is None:
            return None
        found = printed_in(self.paper, self.name, self.dataset, self.backbone)
        return found or paper_result(self.dataset, self.backbone, self.place.method)


@dataclass(frozen=True)
class Difference:
    """How much higher a metric is than that of the reference, as the mean over the seeds that both have.

    Attributes:
        mean: in the unit of the metric.
        over_seeds: its t-interval, paired by seed; None for fewer than two seeds.
    """

    mean: float
    over_seeds: Interval | None

    @property
    def certain(self) -> bool | None:
        """Whether the interval leaves no doubt about the sign of the difference; None without interval."""
        return self.over_seeds and self.over_seeds.leaves_out_zero


@dataclass(frozen=True)
class TableRow:
    """A row of the table. Accuracies and differences are in percent; None where nothing is known.

    Attributes:
        curve: the name of the rows that differ from it by their length alone.
        length: how many times the epochs of its method it is trained for; None where rows do not differ by that.
        accuracy: on the test set, of the selected student, ``accuracies``: by seed; ``mean_accuracy``: of all students.
        difference: of ``accuracy`` to the reference, over the seeds that both have.
        over_seeds: its t-interval; ``over_samples``: its bootstrap interval over test samples.
        paper: what the paper prints, and ``paper_metric``, of what.
        variant: its name in the pipeline file; empty if there are no variants.
        points: what the row has on the axes, by the name of the axis.
        changes: what its variant changes, by dotted key.
        sharing: the share of modules that two students have in common.
        metrics: of the predictions of the selected student on the test set, those of which every run has one number.
        against: the row that ``difference`` is taken to.
        differences: of ``metrics`` to that row.
    """

    method: str
    curve: str
    seeds: tuple[int, ...]
    failed: Mapping[int, str]
    accuracy: Spread | None
    mean_accuracy: Spread | None
    diversity: Spread | None
    parameters: int | None
    parameters_student: int | None
    cost: Cost
    seconds: Spread | None
    difference: float | None
    over_seeds: Interval | None
    over_samples: Interval | None
    paper: Spread | None
    deviations: Mapping[str, Any]
    paper_metric: str = "accuracy"
    variant: str = ""
    points: Mapping[str, Any] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)
    sharing: float | None = None
    metrics: Mapping[str, Spread] = field(default_factory=dict)
    against: str | None = None
    length: int | None = None
    accuracies: Mapping[int, float] = field(default_factory=dict)
    differences: Mapping[str, Difference] = field(default_factory=dict)

    @property
    def certain(self) -> bool | None:
        """Whether the interval over seeds leaves no doubt about the sign of the difference; None without interval."""
        return self.over_seeds and self.over_seeds.leaves_out_zero


def compare_methods(methods: Sequence[MethodRow], reference: str) -> list[TableRow]:
    """Summarise methods over their seeds and measure each against the one called ``reference``.

    Rows with a place are measured against the row that it names, if it is there and both read the same data set.
    """
    by_name = {method.name: method for method in methods}
    return [_row(method, _reference(method, by_name, reference)) for method in methods]


def _reference(method: MethodRow, by_name: Mapping[str, MethodRow], reference: str) -> MethodRow | None:
    name = reference if method.place is None else method.place.against
    found = None if name in (None, method.name) else by_name.get(name)
    return found if found is not None and found.dataset == method.dataset else None


def _row(method: MethodRow, reference: MethodRow | None) -> TableRow:
    runs = list(method.runs.values())
    first = runs[0] if runs else None
    distances = [run.diversity for run in runs if run.diversity is not None]
    printed, place = method.printed, method.place
    difference, over_seeds, over_samples = _against(method, reference) if reference else (None, None, None)
    return TableRow(
        method=method.name,
        curve=place.curve if place and place.length else method.name,
        seeds=tuple(method.runs),
        failed=method.failed,
        accuracy=_spread([run.test_accuracy for run in runs]),
        mean_accuracy=_spread([run.mean_test_accuracy for run in runs]),
        diversity=_spread(distances),
        parameters=first.parameters if first else None,
        parameters_student=first.parameters_student if first else None,
        cost=method.cost,
        seconds=_spread([run.train_seconds for run in runs]),
        difference=difference,
        over_seeds=over_seeds,
        over_samples=over_samples,
        paper=printed and Spread(printed.mean, printed.std),
        deviations=method.deviations,
        paper_metric=printed.metric if printed else "accuracy",
        variant=place.variant if place else "",
        points={name: point.value for name, point in place.points.items()} if place else {},
        changes=place.changes if place else {},
        sharing=method.sharing,
        metrics=_metrics([run.metrics or {} for run in runs]),
        against=reference.name if reference and difference is not None else None,
        length=place.length if place else None,
        accuracies={seed: run.test_accuracy for seed, run in method.runs.items()},
        differences=_differences(method, reference) if reference else {},
    )


def _against(method: MethodRow, reference: MethodRow) -> tuple[float | None, Interval | None, Interval | None]:
    """Return the mean difference over the seeds of both, and what is known of its certainty."""
    both = [seed for seed in method.runs if seed in reference.runs]
    if not both:
        return None, None, None
    differences = [method.runs[seed].test_accuracy - reference.runs[seed].test_accuracy for seed in both]
    return fmean(differences), paired_interval(differences), _over_samples(method, reference, both)


def _differences(method: MethodRow, reference: MethodRow) -> dict[str, Difference]:
    """Measure the metrics that all runs of both rows have as one number against those of the reference."""
    both = [seed for seed in method.runs if seed in reference.runs]
    pairs = [(method.runs[seed].metrics or {}, reference.runs[seed].metrics or {}) for seed in both]
    found = {}
    for name in pairs[0][0] if pairs else ():
        if all(isinstance(one.get(name), float) for pair in pairs for one in pair):
            differences = [own[name] - other[name] for own, other in pairs]
            found[name] = Difference(fmean(differences), paired_interval(differences))
    return found


def _over_samples(method: MethodRow, reference: MethodRow, seeds: Sequence[int]) -> Interval | None:
    if not all(seed in row.predictions for row in (method, reference) for seed in seeds):
        return None
    hits = [[row.predictions[seed].hits for seed in seeds] for row in (method, reference)]
    if len({len(one) for row in hits for one in row}) > 1:
        return None
    return bootstrap_interval(mean_difference(np.stack(hits[0]), np.stack(hits[1])))


def _metrics(measured: Sequence[Mapping[str, Any]]) -> dict[str, Spread]:
    """Summarise the metrics that all runs have as one number."""
    names = measured[0] if measured else ()
    common = (name for name in names if all(isinstance(one.get(name), float) for one in measured))
    return {name: spread([one[name] for one in measured]) for name in common}


def _spread(values: Sequence[float]) -> Spread | None:
    return spread(values) if values else None
