"""What the probabilities of a row say, in words: its likeliest classes, or all of its labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from cgl_ignite.tasks import MULTI_LABEL, SINGLE_LABEL

__all__ = ["THRESHOLD", "WORDINGS", "Wording"]

THRESHOLD = 0.5
"""Labels with a higher probability are named, unless another one is asked for."""
MOST = 3
"""Classes that are named unless another number is asked for."""


@dataclass(frozen=True)
class Wording:
    """How answers of a task are written.

    Attributes:
        entry: turns probabilities (classes,), the names of the classes, the number of them to name, None if nobody
            said, and the threshold into plain values for JSON.
        cells: turns such an entry into label and probability, one or several, for a line of text.
        keys: of an entry of a row, what stands in files, in order.
        thresholded: whether a threshold decides.
    """

    entry: Callable[[Tensor, Sequence[str], int | None, float], dict[str, Any]]
    cells: Callable[[Mapping[str, Any]], list[Mapping[str, Any]]]
    keys: tuple[str, ...]
    thresholded: bool


def _one_class(shares: Tensor, classes: Sequence[str], most: int | None, threshold: float) -> dict[str, Any]:
    values, numbers = shares.topk(min(most or MOST, len(classes)))
    best = _listed(values, numbers, classes)
    return {**best[0], "next": best[1:]}


def _all_labels(shares: Tensor, classes: Sequence[str], most: int | None, threshold: float) -> dict[str, Any]:
    values, numbers = shares.sort(descending=True, stable=True)
    count = int((values > threshold).sum())
    return {"labels": _listed(values[:count][:most], numbers[:count][:most], classes)}


def _listed(values: Tensor, numbers: Tensor, classes: Sequence[str]) -> list[dict[str, Any]]:
    names = [classes[number] for number in numbers.tolist()]
    return [{"label": name, "probability": share} for name, share in zip(names, values.tolist(), strict=True)]


WORDINGS: Mapping[str, Wording] = {
    SINGLE_LABEL.name: Wording(
        _one_class, lambda entry: [entry, *entry["next"]], ("label", "probability"), thresholded=False
    ),
    MULTI_LABEL.name: Wording(_all_labels, lambda entry: entry["labels"], ("labels",), thresholded=True),
}
"""How answers are written, by the name of the task."""
