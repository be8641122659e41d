"""Rows of an iteration, for the tests of augmentations."""

from __future__ import annotations

import torch
from torch import Tensor

from cgl_ignite.data.augment import Augmentation, Samples
from cgl_ignite.seeding import stream

CLASSES = 4


def samples_of(
    inputs: Tensor, *, sizes: tuple[int, ...] | None = None, rows: Tensor | None = None, passed: int = 0
) -> Samples:
    """Rows whose classes go round; by default they are all of one group, and the first ones of the training part."""
    count = len(inputs)
    rows = torch.arange(count) if rows is None else rows
    return Samples(inputs, torch.arange(count) % CLASSES, CLASSES, sizes or (count,), rows, passed)


def changed_inputs(augment: Augmentation, inputs: Tensor, seed: int = 1) -> Tensor:
    """The inputs after an augmentation."""
    changed: Tensor = augment(samples_of(inputs), stream(seed, "augment")).inputs
    return changed
