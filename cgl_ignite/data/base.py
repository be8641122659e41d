"""What a data set is: rows in memory, a test part that is read only when asked for, class names."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor

from cgl_ignite.data.send import send
from cgl_ignite.data.stored import StoredImages
from cgl_ignite.data.text.corpus import Corpus
from cgl_ignite.data.text.ragged import Ragged
from cgl_ignite.registry import Registry
from cgl_ignite.spec import InputSpec

__all__ = ["DATASETS", "DataSource", "Examples", "InputSpec", "Rows", "class_counts", "data_root"]


@dataclass(frozen=True, eq=False)
class Examples:
    """Rows of one part of a data set, held as tensors, mapped from a file, or read from one.

    Shape: inputs uint8 (N, C, H, W), or token ids of N texts; targets int64 (N,); hashes int64 (N,) on the CPU, of
    the texts before they were encoded. Where rows have several labels, targets are numbers of sets of labels, and
    ``label_sets`` tells which classes are in each, bool (sets, classes). ``weights`` (N,) tell how much each row counts
    in the loss with its label; without them all count alike.

    Raises:
        ValueError: inputs and targets differ in length.
    """

    inputs: Tensor | Ragged | StoredImages
    targets: Tensor
    hashes: Tensor | None = None
    label_sets: Tensor | None = None
    weights: Tensor | None = None

    def __post_init__(self) -> None:
        if len(self.inputs) != len(self.targets):
            raise ValueError(f"{len(self.inputs)} inputs for {len(self.targets)} targets")

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def labels(self) -> Tensor:
        """What is to be learned: the class of each row, (N,), or 1 for each of its labels, float32 (N, classes)."""
        return self.targets if self.label_sets is None else self.label_sets[self.targets].float()

    def counts(self, classes: int) -> Tensor:
        """Count the rows of each class, (classes,)."""
        return class_counts(self.targets, classes, self.label_sets)

    @property
    def lengths(self) -> Tensor | None:
        """How long each row is, (N,); None if all inputs have one shape."""
        return self.inputs.lengths if isinstance(self.inputs, Ragged) and self.inputs.width is None else None

    @property
    def dense(self) -> Tensor | StoredImages:
        """The inputs of one shape, which all but texts are."""
        if isinstance(self.inputs, Ragged):
            raise TypeError("inputs of different lengths are not one tensor")
        return self.inputs

    def take(self, rows: Tensor) -> Examples:
        """Choose the rows at these indices, in their order; indices lie on the CPU."""
        there = send(rows, self.targets.device)
        chosen = there if isinstance(self.inputs, Tensor) else rows
        hashes = None if self.hashes is None else self.hashes.index_select(0, rows)
        return replace(
            self,
            inputs=self.inputs.index_select(0, chosen),
            targets=self.targets.index_select(0, there),
            hashes=hashes,
            weights=None if self.weights is None else self.weights.index_select(0, there),
        )

    def to(self, device: torch.device | str) -> Examples:
        """Hold the rows on a device; nothing is copied if they are there."""
        there = None if self.label_sets is None else self.label_sets.to(device)
        weights = None if self.weights is None else self.weights.to(device)
        inputs, targets = self.inputs.to(device), self.targets.to(device)
        return replace(self, inputs=inputs, targets=targets, label_sets=there, weights=weights)


def class_counts(targets: Tensor, classes: int, label_sets: Tensor | None) -> Tensor:
    """Count the rows of each class.

    Shape: targets (N,), classes or numbers of ``label_sets`` (sets, classes); result int64 (classes,).

    Example:
        >>> class_counts(torch.tensor([0, 2, 2]), 2, torch.tensor([[1, 0], [0, 1], [1, 1]]).bool()).tolist()
        [3, 2]
    """
    if label_sets is None:
        return targets.bincount(minlength=classes)
    return (targets.bincount(minlength=len(label_sets)).unsqueeze(1) * label_sets).sum(0)


Rows: TypeAlias = Examples | Corpus
"""One part of a data set: rows that are ready, or texts that an encoding makes ready."""


@dataclass(frozen=True)
class DataSource:
    """A data set as it is published: training rows, test rows, class names.

    ``test`` reads the test rows; until it is called they are not in memory. Of texts only their encoding
    knows shape and vocabulary.

    Attributes:
        holdout: reads the rows of a validation part; None if there is none.
        notes: what was decided while reading, one short sentence each, for the user.
        digest: what was read, so that other data are noticed (:mod:`cgl_ignite.data.digest`).
        label_sets: where rows have several labels, which classes are in each set of labels, bool (sets, classes);
            the targets of all parts are numbers of these sets.
    """

    train: Rows
    test: Callable[[], Rows]
    classes: tuple[str, ...]
    spec: InputSpec
    holdout: Callable[[], Rows] | None = None
    notes: tuple[str, ...] = ()
    digest: Mapping[str, str] = field(default_factory=dict)
    label_sets: Tensor | None = None


DATASETS: Registry[Callable[..., DataSource]] = Registry("data set")
"""Builders ``(root: Path, *, options) -> DataSource``.

Facts of each kind: ``title`` and ``modality``; ``shape``, ``classes`` (their number) and ``rows`` (train,
test), None where only the files tell; ``look``, a function of the options and ``files`` that tells them then, as a
:class:`~cgl_ignite.data.look.Look`; ``own_holdout``, True where the files may hold a validation part;
``stratified``, True where sub-sets keep the shares of the classes unless a pipeline says otherwise; ``files``, the
:class:`~cgl_ignite.data.archive.Archive` under the data root, or None with ``where`` saying in words where the rows
come from; ``present``, a function ``(root, options) -> bool`` that tells then whether they are there, if that can be
told without reading them.
"""


def data_root(root: Path | None) -> Path:
    """Return the folder of all data sets: the one given, else ``$CGL_DATA``, else the user's cache.

    Example:
        >>> data_root(Path("/data")).as_posix()
        '/data'
    """
    return Path(root or os.environ.get("CGL_DATA") or "~/.cache/cgl_ignite").expanduser()
