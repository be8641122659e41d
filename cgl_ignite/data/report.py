"""A report of the data that a run reads: what is there, and what there is to worry about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cgl_ignite.data.base import Examples
from cgl_ignite.data.hashing import BLANK, hash_rows
from cgl_ignite.data.splits import Splits
from cgl_ignite.data.stored import StoredImages
from cgl_ignite.data.text.ragged import Ragged
from cgl_ignite.data.weights import describe_weights

__all__ = ["DataReport", "FrequentLabels", "PartReport", "describe_data"]

_EACH = 4
_NAMED = 5
_ROWS_AT_ONCE = 256
_PROBES = 5


@dataclass(frozen=True)
class PartReport:
    """One part of the data.

    Attributes:
        name: ``training``, ``holdout`` or ``test``.
        counts: rows of each class.
        rows: the number of its rows, which may have several classes.
        size: bytes of its inputs, in memory or mapped from a file.
        empty: texts without a token or a visible character, images of one colour.
        repeated: rows that equal an earlier one; None if rows cannot be told apart.
        in_training: rows that also stand in the training part; None for that part itself.
    """

    name: str
    counts: tuple[int, ...]
    rows: int
    size: int
    empty: int
    repeated: int | None
    in_training: int | None


class FrequentLabels(NamedTuple):
    """The labels that most training rows have together, and how many test rows have just these, in percent."""

    labels: tuple[str, ...]
    share: float

    @property
    def named(self) -> str:
        """The labels in words."""
        return " and ".join(map(repr, self.labels)) or "no label"


@dataclass(frozen=True)
class DataReport:
    """What a run reads, with what the data set says about itself (``notes``).

    Where rows have several labels, ``frequent`` are those that most training rows have together.
    """

    modality: str
    classes: tuple[str, ...]
    parts: tuple[PartReport, ...]
    notes: tuple[str, ...] = ()
    frequent: FrequentLabels | None = None

    @property
    def most_frequent(self) -> int:
        """The class with most training rows."""
        counts = self.parts[0].counts
        return counts.index(max(counts))

    @property
    def chance(self) -> float:
        """Accuracy on the test part, in percent, of always answering the most frequent class, or labels."""
        if self.frequent is not None:
            return self.frequent.share
        test = self.parts[-1]
        return 100 * test.counts[self.most_frequent] / max(1, test.rows)

    @property
    def headline(self) -> str:
        """What is there, in one line."""
        size = sum(part.size for part in self.parts) / 2**20
        frequent = repr(self.classes[self.most_frequent]) if self.frequent is None else self.frequent.named
        always = f"always answering {frequent}: {self.chance:.1f} % of the test part"
        return f"{len(self.classes)} classes, {size:,.1f} MiB; {always}"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What there is to worry about, one sentence each."""
        return tuple(warning for part in self.parts for warning in self._warnings(part))

    def table(self) -> list[tuple[str, ...]]:
        """Lay the parts out in columns, with a row of titles first."""
        titles = ("part", "rows", "repeated", "empty", "in training", "rows per class")
        return [titles, *(self._row(part) for part in self.parts)]

    def tree(self) -> dict[str, Any]:
        """Return everything as plain values, for JSON."""
        parts = {
            part.name: {
                "rows": part.rows,
                "classes": dict(zip(self.classes, part.counts, strict=True)),
                "bytes": part.size,
                "empty": part.empty,
                "repeated": part.repeated,
                "in_training": part.in_training,
            }
            for part in self.parts
        }
        return {
            "modality": self.modality,
            "parts": parts,
            "most_frequent_class": self.classes[self.most_frequent],
            **({} if self.frequent is None else {"most_frequent_labels": list(self.frequent.labels)}),
            "most_frequent_class_test_accuracy": self.chance,
            "notes": list(self.notes),
            "warnings": list(self.warnings),
        }

    def markdown(self) -> str:
        """Write the report as a page."""
        titles, *rows = self.table()
        lines = [titles, ("---",) * len(titles), *(tuple(cell.replace("|", "\\|") for cell in row) for row in rows)]
        table = [f"| {' | '.join(line)} |" for line in lines]
        remarks = [*(f"- {warning}" for warning in self.warnings), *(f"- {note}" for note in self.notes)]
        return "\n".join(["# Data", "", self.headline, "", *table, *([""] if remarks else []), *remarks, ""])

    def _row(self, part: PartReport) -> tuple[str, ...]:
        counts = [part.repeated, part.empty, part.in_training]
        shown = ["" if count is None else f"{count:,}" for count in counts]
        return part.name, f"{part.rows:,}", *shown, self._spread(part.counts)

    def _spread(self, counts: Sequence[int]) -> str:
        if len(counts) <= _EACH:
            return ", ".join(f"{name} {count:,}" for name, count in zip(self.classes, counts, strict=True))
        few, many = min(counts), max(counts)
        if few == many:
            return f"{few:,} each"
        smallest, largest = self.classes[counts.index(few)], self.classes[counts.index(many)]
        return f"{few:,} ({smallest}) to {many:,} ({largest})"

    def _warnings(self, part: PartReport) -> Iterator[str]:
        missing = [name for name, count in zip(self.classes, part.counts, strict=True) if not count]
        if missing:
            yield f"the {part.name} part has no row of {self._named(missing)}"
        single = [name for name, count in zip(self.classes, part.counts, strict=True) if count == 1]
        if single and part.name == "training":
            yield f"the training part has a single row of {self._named(single)}"
        if part.rows == 1:
            yield f"the {part.name} part is a single row: its accuracy is 0 % or 100 %"
        if part.empty:
            empty = "without any content" if self.modality == "text" else "of one colour only"
            yield f"{part.empty:,} of {part.rows:,} {part.name} rows are {empty}"
        if part.in_training:
            yield f"{part.in_training:,} of {part.rows:,} {part.name} rows also stand in the training part"

    def _named(self, names: Sequence[str]) -> str:
        if len(names) == 1:
            return f"class {names[0]!r}"
        more = ", ..." if len(names) > _NAMED else ""
        return f"{len(names)} of {len(self.classes)} classes: {', '.join(map(repr, names[:_NAMED]))}{more}"


def describe_data(splits: Splits, notes: Sequence[str] = ()) -> DataReport:
    """Look through the parts of a run; the test part is read, and nothing is judged."""
    known: Tensor | None = None
    parts = []
    for name, examples in (("training", splits.train), ("holdout", splits.holdout), ("test", splits.test())):
        hashes = _hashes(examples)
        parts.append(_part(name, examples, hashes, known, len(splits.classes)))
        known = hashes if known is None else known
    if splits.train.weights is not None:
        notes = [*notes, describe_weights(splits.train.weights)]
    return DataReport(splits.spec.modality, splits.classes, tuple(parts), tuple(notes), _frequent(splits))


def _frequent(splits: Splits) -> FrequentLabels | None:
    label_sets, test = splits.train.label_sets, splits.test().targets
    if label_sets is None:
        return None
    most = int(splits.train.targets.bincount().argmax())
    labels = tuple(name for name, held in zip(splits.classes, label_sets[most].tolist(), strict=True) if held)
    return FrequentLabels(labels, 100 * int((test == most).sum()) / max(1, len(test)))


def _part(name: str, examples: Examples, hashes: Tensor | None, training: Tensor | None, classes: int) -> PartReport:
    repeated = None if hashes is None else len(hashes) - len(hashes.unique())
    shared = None if hashes is None or training is None else int(torch.isin(hashes, training).sum())
    counts = tuple(examples.counts(classes).tolist())
    return PartReport(name, counts, len(examples), _size(examples), _empty(examples), repeated, shared)


def _hashes(examples: Examples) -> Tensor | None:
    if examples.hashes is None and isinstance(examples.inputs, Tensor):
        return hash_rows(examples.inputs)
    if examples.hashes is None and isinstance(examples.inputs, StoredImages):
        return torch.cat([hash_rows(part.load()) for part in examples.inputs.split(_ROWS_AT_ONCE)])
    return examples.hashes


def _size(examples: Examples) -> int:
    inputs = examples.inputs
    if isinstance(inputs, Ragged):
        return int(inputs.lengths.sum()) * inputs.tokens.element_size()
    return inputs.nbytes


def _empty(examples: Examples) -> int:
    inputs = examples.inputs
    if isinstance(inputs, Ragged):
        empty = inputs.lengths == 0
        return int((empty if examples.hashes is None else empty | (examples.hashes == BLANK)).sum())
    if isinstance(inputs, StoredImages):
        return sum(_of_one_colour(part.load()) for part in inputs.split(_ROWS_AT_ONCE))
    return _of_one_colour(inputs) if inputs.dim() == 4 and inputs.shape[2:].numel() > 1 else 0


def _of_one_colour(images: Tensor) -> int:
    """Count images (N, C, H, W) of one colour; only those that look so at a few points are read whole."""
    pixels = images.flatten(2)
    probes = torch.linspace(0, pixels.shape[2] - 1, _PROBES).long()
    likely = (pixels[:, :, probes] == pixels[:, :, :1]).flatten(1).all(1)
    rest = pixels[likely]
    return int((rest == rest[:, :, :1]).flatten(1).all(1).sum())
