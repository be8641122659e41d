"""What a data set is: rows in memory, a test part that is read only when asked for, class names."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from cgl_ignite.registry import Registry
from cgl_ignite.spec import InputSpec

__all__ = ["DATASETS", "DataSource", "Examples", "InputSpec", "data_root", "send"]


@dataclass(frozen=True, eq=False)
class Examples:
    """Rows of one part of a data set, held as tensors.

    Shape: inputs uint8 (N, C, H, W), targets int64 (N,).

    Raises:
        ValueError: inputs and targets differ in length.
    """

    inputs: Tensor
    targets: Tensor

    def __post_init__(self) -> None:
        if len(self.inputs) != len(self.targets):
            raise ValueError(f"{len(self.inputs)} inputs for {len(self.targets)} targets")

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: Tensor) -> Examples:
        """Copy the rows at these indices, in their order; indices lie on the device of the examples."""
        return Examples(self.inputs.index_select(0, rows), self.targets.index_select(0, rows))

    def to(self, device: torch.device | str) -> Examples:
        """Hold the rows on a device; nothing is copied if they are there."""
        return Examples(self.inputs.to(device), self.targets.to(device))


@dataclass(frozen=True)
class DataSource:
    """A data set as it is published: training rows, test rows, class names.

    ``test`` reads the test rows; until it is called they are not in memory.
    """

    train: Examples
    test: Callable[[], Examples]
    classes: tuple[str, ...]
    spec: InputSpec


DATASETS: Registry[Callable[..., DataSource]] = Registry("data set")
"""Builders ``(root: Path, *, options) -> DataSource``.

Facts of each kind: ``title`` and ``modality``; ``shape``, ``classes`` (their number) and ``rows`` (train,
test), None where only the files tell; ``files``, the :class:`~cgl_ignite.data.archive.Archive` under the data
root, or None with ``where`` saying in words where the rows come from.
"""


def data_root(root: Path | None) -> Path:
    """Return the folder of all data sets: the one given, else ``$CGL_DATA``, else the user's cache.

    Example:
        >>> data_root(Path("/data")).as_posix()
        '/data'
    """
    return Path(root or os.environ.get("CGL_DATA") or "~/.cache/cgl_ignite").expanduser()


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """Move a tensor made on the CPU to a device without waiting for that device."""
    if device.type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
