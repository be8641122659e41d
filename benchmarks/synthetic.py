"""Random images in the shape of CIFAR-10, for timing where the real ones are not at hand."""

from __future__ import annotations

from pathlib import Path

import torch

from cgl_ignite.data import DATASETS, DataSource, Examples
from cgl_ignite.spec import InputSpec

__all__ = ["is_present", "synthetic"]

SHAPE, CLASSES, ROWS, TEST_ROWS = (3, 32, 32), 10, 50_000, 10_000


def is_present(kind: str, root: Path) -> bool:
    """Tell whether the official files of a data set lie below the data root."""
    return bool(DATASETS.facts(kind)["files"].present(root))


@DATASETS.register(
    "synthetic",
    title="Random images",
    modality="image",
    shape=SHAPE,
    classes=CLASSES,
    rows=(ROWS, TEST_ROWS),
    files=None,
    where="drawn when they are asked for",
)
def synthetic(root: Path) -> DataSource:
    """Draw images and labels."""
    return DataSource(draw(ROWS), lambda: draw(TEST_ROWS), tuple(map(str, range(CLASSES))), InputSpec("image", SHAPE))


def draw(rows: int) -> Examples:
    """Draw as many examples."""
    generator = torch.Generator().manual_seed(rows)
    inputs = torch.randint(256, (rows, *SHAPE), generator=generator, dtype=torch.uint8)
    return Examples(inputs, torch.randint(CLASSES, (rows,), generator=generator))
