"""The first images of CIFAR-10, for machines that cannot be given all of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
from pydantic import Field

from cgl_ignite.data import DATASETS, DataSource

Count = Annotated[int, Field(ge=1)]


@DATASETS.register(
    "cifar10_start",
    title="The first images of CIFAR-10",
    modality="image",
    shape=(3, 32, 32),
    classes=10,
    rows=None,
    files=None,
    where="with CIFAR-10",
)
def cifar10_start(root: Path, *, train: Count = 15_000, test: Count = 4_000) -> DataSource:
    """Read CIFAR-10 and keep the first images of both parts, in the official order."""
    whole = DATASETS.get("cifar10")(root)
    return replace(
        whole,
        train=whole.train.take(torch.arange(train)),
        test=lambda: whole.test().take(torch.arange(test)),
        digest=None,
    )
