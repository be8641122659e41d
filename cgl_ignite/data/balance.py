"""Classes of unequal size: weights for their losses, or the same number of draws for each."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cgl_ignite.data.base import class_counts
from cgl_ignite.data.subsets import Subsets
from cgl_ignite.errors import InputError

__all__ = ["BETA", "class_weights", "classes_without_rows", "draw_balanced", "refuse_missing_classes"]


BETA = 0.999
"""Of the effective number, unless ``data.balance_beta`` is another."""

MOST_NAMED = 5
"""Classes that a message names."""


def class_weights(targets: Tensor, classes: int, beta: float) -> Tensor:
    r"""Weigh each class by the effective number of its rows (Cui et al. 2019).

    .. math:: w_c \propto \frac{1 - \beta}{1 - \beta^{n_c}}

    with :math:`n_c` rows of class c, scaled so that the weights of all rows have the mean 1. β = 0 weighs all classes
    alike, and β close to 1 by the inverse of :math:`n_c`.

    Shape: targets (N,), with every class among them; result float32 (classes,).

    Example:
        >>> [round(weight, 3) for weight in class_weights(torch.tensor([0, 0, 0, 1]), 2, 0.5).tolist()]
        [0.842, 1.474]
    """
    counts = targets.bincount(minlength=classes).double()
    weights = (1 - beta) / (1 - beta**counts)
    return (weights * counts.sum() / (weights * counts).sum()).float()


def draw_balanced(rows: Tensor, targets: Tensor, generator: torch.Generator) -> Tensor:
    """Draw as many rows as there are, of every class the same number up to one, in random order.

    The rows of a class are drawn equally often, up to one: those of a rare class again and again, and of a frequent
    class as many different ones as it takes.

    Shape: rows (n,), their targets (n,); result (n,), on the CPU.
    """
    total = len(rows)
    order = torch.randperm(total, generator=generator)
    order = order[targets[order].argsort(stable=True)]
    _, counts = targets.unique(return_counts=True)
    share, rest = divmod(total, len(counts))
    drawn = share + (torch.randperm(len(counts), generator=generator) < rest).long()
    starts, begins = counts.cumsum(0) - counts, drawn.cumsum(0) - drawn
    place = torch.arange(total) - begins.repeat_interleave(drawn)
    chosen = starts.repeat_interleave(drawn) + place % counts.repeat_interleave(drawn)
    return rows[order[chosen]][torch.randperm(total, generator=generator)]


def refuse_missing_classes(targets: Tensor, classes: Sequence[str], subsets: Subsets | None = None) -> None:
    """Make sure that there are training rows of every class; with ``subsets``, that each of these has some, too.

    Raises:
        InputError: a class without a row.
    """
    parts = {"the training part": targets}
    for number, rows in enumerate(subsets.groups(0) if subsets else ()):
        parts[f"the sub-set of student {number}"] = targets[rows]
    for part, found in parts.items():
        if missing := classes_without_rows(found, classes):
            remedy = "add some, or leave data.balance out"
            if found is not targets:
                remedy = "set method.subsets.stratified = true, take fewer students, or leave data.balance out"
            raise InputError(f"{part} has no row of {_named(missing)}; {remedy}", key="data.balance")


def classes_without_rows(targets: Tensor, classes: Sequence[str], label_sets: Tensor | None = None) -> list[str]:
    """Name the classes that no row is of. Shape: targets (N,), classes or numbers of label_sets (sets, classes)."""
    counts = class_counts(targets, len(classes), label_sets).tolist()
    return [name for name, count in zip(classes, counts, strict=True) if not count]


def _named(classes: Sequence[str]) -> str:
    more = f" and {len(classes) - MOST_NAMED} more" if len(classes) > MOST_NAMED else ""
    return ", ".join(map(repr, classes[:MOST_NAMED])) + more
