"""What a student gets right and wrong on labelled rows: by class, by confidence, and its surest mistakes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor

from cgl_ignite.analysis.calibration import Reliability, reliability
from cgl_ignite.analysis.chance import chance_accuracy
from cgl_ignite.analysis.statistics import Interval
from cgl_ignite.metrics.confusion import confusion_matrix
from cgl_ignite.metrics.predictions import defined_metrics, is_of_each_class, measure_predictions, unit_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Evaluation", "Mistake", "plain", "wilson_interval"]

CONFUSIONS = 20
"""Pairs of classes that are listed."""


class Mistake(NamedTuple):
    """A row, from 0, with its class, what it was taken for, and the probability of that."""

    row: int
    right: int
    predicted: int
    confidence: float


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The answers of a student to labelled rows.

    Shape: logits (N, C), targets (N,), on the CPU; one name for each class.
    """

    logits: Tensor
    targets: Tensor
    classes: Sequence[str]

    @cached_property
    def counts(self) -> NDArray[Any]:
        """How many rows of each class are predicted as each class, (C, C)."""
        counts = confusion_matrix(self.logits.argmax(dim=-1), self.targets, len(self.classes))
        return counts.long().numpy()

    @property
    def accuracy(self) -> float:
        """In percent."""
        return 100 * float(self.counts.diagonal().sum()) / len(self.targets)

    @property
    def interval(self) -> Interval:
        """The 95 % interval of the accuracy over samples."""
        return wilson_interval(int(self.counts.diagonal().sum()), len(self.targets))

    @cached_property
    def metrics(self) -> dict[str, list[float]]:
        """All metrics of the predictions that these rows define, those of one number as a list of one."""
        found = measure_predictions(
            self.logits.unsqueeze(0), self.targets, defined_metrics(self.counts.sum(axis=1).tolist())
        )
        return {name: value.flatten().tolist() for name, value in found.items()}

    @cached_property
    def reliability(self) -> Reliability:
        """Accuracy by confidence."""
        return reliability(self.logits, self.targets)

    def mistakes(self, most: int) -> list[Mistake]:
        """Return the mistakes with the highest probability, at most this many."""
        probability, predicted = self.logits.double().softmax(dim=-1).max(dim=-1)
        wrong = (predicted != self.targets).nonzero().flatten()
        wrong = wrong[probability[wrong].argsort(descending=True, stable=True)][:most]
        return [
            Mistake(row, int(self.targets[row]), int(predicted[row]), 100 * float(probability[row]))
            for row in wrong.tolist()
        ]

    def tree(self, mistakes: int) -> dict[str, Any]:
        """Return everything as plain values, with at most so many mistakes."""
        single = {name: plain(value[0]) for name, value in self.metrics.items() if not is_of_each_class(name)}
        return {
            "interval": list(self.interval),
            "most_frequent_class": self._most_frequent,
            "metrics": single,
            "per_class": dict(zip(self.classes, self._by_class(), strict=True)),
            "confusion": self.counts.tolist(),
            "reliability": {
                name: [plain(value) for value in getattr(self.reliability, name).tolist()]
                for name in ("rows", "confidence", "accuracy")
            },
            "mistakes": [
                {
                    "row": one.row,
                    "class": self.classes[one.right],
                    "predicted": self.classes[one.predicted],
                    "confidence": one.confidence,
                }
                for one in self.mistakes(mistakes)
            ],
        }

    def lines(self) -> Iterator[tuple[str, str]]:
        """Name what is told in short, and its value."""
        low, high = self.interval
        yield "accuracy", f"{self.accuracy:.2f} %, 95 % interval over samples [{low:.2f}, {high:.2f}]"
        often = self._most_frequent
        yield "most frequent class", f"always answering {often['class']!r}: {often['accuracy']:.2f} %"
        for name, value in self.metrics.items():
            if not is_of_each_class(name):
                unit = unit_of(name)
                yield name.replace("_", " "), f"{value[0]:.{2 if unit else 4}f} {unit}".rstrip()

    def brief(self) -> Iterator[tuple[str, str]]:
        """Name what else stands beside the accuracy where there is no report: nothing."""
        yield from ()

    def table(self) -> Iterator[tuple[str, ...]]:
        """Lay the classes out in columns, the least recall first, with a row of titles first."""
        yield "class", "rows", "predicted", "precision, %", "recall, %", "F1, %"
        rows = list(zip(self.classes, self._by_class(), strict=True))
        for name, one in sorted(rows, key=lambda row: row[1]["recall"]):
            shares = (f"{one[each]:.1f}" for each in ("precision", "recall", "f1"))
            yield name, f"{one['rows']:,}", f"{one['predicted']:,}", *shares

    def confusions(self) -> Iterator[tuple[str, ...]]:
        """List the most frequent confusions of two classes, with a row of titles first."""
        yield "class", "predicted as", "rows", "of the class, %"
        wrong = self.counts.copy()
        wrong[range(len(wrong)), range(len(wrong))] = 0
        for place in (-wrong).flatten().argsort(kind="stable")[:CONFUSIONS].tolist():
            right, predicted = divmod(place, len(wrong))
            if count := int(wrong[right, predicted]):
                share = 100 * count / int(self.counts[right].sum())
                yield self.classes[right], self.classes[predicted], f"{count:,}", f"{share:.1f}"

    @property
    def _most_frequent(self) -> dict[str, Any]:
        place = int(self.counts.sum(axis=1).argmax())
        return {"class": self.classes[place], "accuracy": chance_accuracy(self.targets)}

    def _by_class(self) -> list[Mapping[str, Any]]:
        rows, predicted = self.counts.sum(axis=1).tolist(), self.counts.sum(axis=0).tolist()
        shares = (self.metrics[name] for name in ("precision", "recall", "f1"))
        names = ("rows", "predicted", "precision", "recall", "f1")
        return [dict(zip(names, values, strict=True)) for values in zip(rows, predicted, *shares, strict=True)]


def wilson_interval(hits: int, rows: int) -> Interval:
    r"""Return the 95 % interval of a share of hits, in percent (Wilson 1927).

    .. math:: \frac{p + \frac{z^2}{2n} \pm z \sqrt{\frac{p (1 - p)}{n} + \frac{z^2}{4 n^2}}}{1 + \frac{z^2}{n}},
        \quad z = 1.96

    Example:
        >>> [round(bound, 1) for bound in wilson_interval(90, 100)]
        [82.6, 94.5]
    """
    share, z = hits / rows, 1.959964
    middle, spread = share + z**2 / (2 * rows), z * math.sqrt(share * (1 - share) / rows + z**2 / (4 * rows**2))
    return Interval(*(100 * (middle + sign * spread) / (1 + z**2 / rows) for sign in (-1, 1)))


def plain(value: float) -> float | None:
    """Return a number that JSON can hold; None for what is not finite."""
    return value if math.isfinite(value) else None
