"""What a student gets right and wrong on rows with several labels: by label, by confidence, and its surest mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cgl_ignite.analysis.calibration import Reliability, reliability
from cgl_ignite.analysis.evaluation import Evaluation, plain, wilson_interval
from cgl_ignite.analysis.statistics import Interval
from cgl_ignite.metrics.confusion import ClassCounts, class_counts
from cgl_ignite.metrics.predictions import defined_metrics, is_of_each_class, measure_predictions, unit_of
from cgl_ignite.tasks import MULTI_LABEL, SINGLE_LABEL

__all__ = ["EVALUATIONS", "LabelEvaluation", "LabelMistake"]

_COLUMNS = ("rows", "predicted", "precision", "recall", "f1", "average_precision")


class LabelMistake(NamedTuple):
    """A row, from 0, a class, whether it is a label of the row, and the probability that it got, in percent."""

    row: int
    label: int
    right: bool
    probability: float


@dataclass(frozen=True, eq=False)
class LabelEvaluation:
    """The answers of a student to labelled rows.

    Shape: logits (N, C), targets (N, C), 1 for each label of a row, on the CPU; one name for each class.
    """

    logits: Tensor
    targets: Tensor
    classes: Sequence[str]

    @cached_property
    def probabilities(self) -> Tensor:
        """Of each label of each row, (N, C) float64."""
        return self.logits.double().sigmoid()

    @cached_property
    def counts(self) -> ClassCounts:
        """The rows of each class, those predicted as it, and those that are both."""
        return class_counts(self.probabilities, self.targets)

    @property
    def accuracy(self) -> float:
        """Rows all of whose labels are right, in percent."""
        return 100 * self._hits / len(self.targets)

    @property
    def interval(self) -> Interval:
        """The 95 % interval of the accuracy over samples."""
        return wilson_interval(self._hits, len(self.targets))

    @property
    def _hits(self) -> int:
        return int(((self.logits > 0) == (self.targets > 0.5)).all(dim=1).sum())

    @cached_property
    def metrics(self) -> dict[str, list[float]]:
        """All metrics of the predictions that these rows define, those of one number as a list of one."""
        names = defined_metrics([int(rows) for rows in self.counts.rows], MULTI_LABEL.name)
        found = measure_predictions(self.logits.unsqueeze(0), self.targets, names, MULTI_LABEL.probabilities)
        return {name: value.flatten().tolist() for name, value in found.items()}

    @cached_property
    def reliability(self) -> Reliability:
        """Accuracy by confidence, of every answer, yes or no, for every class and row."""
        logits = self.logits.flatten()
        return reliability(torch.stack([torch.zeros_like(logits), logits], dim=1), (self.targets > 0.5).flatten())

    def mistakes(self, most: int) -> list[LabelMistake]:
        """Return the wrong answers that the student was surest of, at most this many."""
        right = self.targets > 0.5
        wrong = ((self.logits > 0) != right).flatten().nonzero().flatten()
        surest = self.logits.flatten()[wrong].abs().argsort(descending=True, stable=True)[:most]
        places = [divmod(place, len(self.classes)) for place in wrong[surest].tolist()]
        return [
            LabelMistake(row, label, bool(right[row, label]), 100 * float(self.probabilities[row, label]))
            for row, label in places
        ]

    def tree(self, mistakes: int) -> dict[str, Any]:
        """Return everything as plain values, with at most so many mistakes."""
        return {
            "interval": list(self.interval),
            "most_frequent_labels": {"labels": self._most_frequent[0], "accuracy": self._most_frequent[1]},
            "metrics": {name: plain(value[0]) for name, value in self.metrics.items() if not is_of_each_class(name)},
            "per_class": dict(zip(self.classes, self._by_class(), strict=True)),
            "reliability": {
                name: [plain(value) for value in getattr(self.reliability, name).tolist()]
                for name in ("rows", "confidence", "accuracy")
            },
            "mistakes": [
                {"row": one.row, "label": self.classes[one.label], "right": one.right, "probability": one.probability}
                for one in self.mistakes(mistakes)
            ],
        }

    def lines(self) -> Iterator[tuple[str, str]]:
        """Name what is told in short, and its value."""
        low, high = self.interval
        yield (
            "all labels right",
            f"{self.accuracy:.2f} % of the rows, 95 % interval over samples [{low:.2f}, {high:.2f}]",
        )
        labels, share = self._most_frequent
        yield "most frequent labels", f"always answering {' and '.join(map(repr, labels)) or 'none'}: {share:.2f} %"
        yield from self.brief()

    def brief(self) -> Iterator[tuple[str, str]]:
        """Name the metrics of one number, and their values."""
        for name, value in self.metrics.items():
            if not is_of_each_class(name):
                unit = unit_of(name)
                yield name.replace("_", " "), f"{value[0]:.{2 if unit else 4}f} {unit}".rstrip()

    def table(self) -> Iterator[tuple[str, ...]]:
        """Lay the classes out in columns, the least average precision first, with a row of titles first."""
        yield "label", "rows", "predicted", "precision, %", "recall, %", "F1, %", "average precision, %"
        rows = list(zip(self.classes, self._by_class(), strict=True))
        for name, one in sorted(rows, key=lambda row: row[1]["average_precision"]):
            yield name, f"{one['rows']:,}", f"{one['predicted']:,}", *(f"{one[each]:.1f}" for each in _COLUMNS[2:])

    @cached_property
    def _most_frequent(self) -> tuple[list[str], float]:
        sets, counts = (self.targets > 0.5).unique(dim=0, return_counts=True)
        held = sets[counts.argmax()].tolist()
        labels = [name for name, there in zip(self.classes, held, strict=True) if there]
        return labels, 100 * int(counts.max()) / len(self.targets)

    def _by_class(self) -> list[Mapping[str, Any]]:
        counted = (map(int, values.tolist()) for values in (self.counts.rows, self.counts.predicted))
        shares = (self.metrics[name] for name in _COLUMNS[2:])
        return [dict(zip(_COLUMNS, values, strict=True)) for values in zip(*counted, *shares, strict=True)]


EVALUATIONS: Mapping[str, type[Evaluation] | type[LabelEvaluation]] = {
    SINGLE_LABEL.name: Evaluation,
    MULTI_LABEL.name: LabelEvaluation,
}
"""What evaluates the answers of a student, by the name of its task."""
