"""Images in a file, read when a batch is made of them: for data sets that do not fit into memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from cgl_ignite.data.send import send
from cgl_ignite.errors import InputError

__all__ = ["StoredImages", "loaded"]

Inputs = TypeVar("Inputs")


@dataclass(frozen=True, eq=False)
class StoredImages:
    """Images of one size that lie one behind the other in a file; a choice of rows reads none.

    The file is read, not mapped, so that its size counts neither as memory nor as address space.

    Args:
        path: the file, uint8.
        form: channels, height and width.
        rows: which images of the file, int64 (N,), on the CPU.
        device: where :meth:`load` puts them.
    """

    path: Path
    form: tuple[int, int, int]
    rows: Tensor
    device: torch.device | str = "cpu"

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> torch.Size:
        """Of the tensor that :meth:`load` makes, (N, C, H, W)."""
        return torch.Size((len(self), *self.form))

    @property
    def nbytes(self) -> int:
        """Bytes of all images."""
        return prod(self.shape)

    def index_select(self, dim: int, rows: Tensor) -> StoredImages:
        """Choose images by their indices, which lie on the CPU; ``dim`` is 0, as a tensor would have it."""
        return replace(self, rows=self.rows.index_select(dim, rows))

    def split(self, rows: int) -> list[StoredImages]:
        """Cut into parts of this many images."""
        return [replace(self, rows=part) for part in self.rows.split(rows)]

    def to(self, device: torch.device | str) -> StoredImages:
        """Let :meth:`load` put the images on a device."""
        return replace(self, device=device)

    def load(self) -> Tensor:
        """Read the images, uint8 (N, C, H, W).

        Raises:
            InputError: the file is gone or has been cut off.
        """
        size = prod(self.form)
        pixels = np.empty((len(self), size), np.uint8)
        try:
            with self.path.open("rb", buffering=0) as file:
                for place, row in enumerate(self.rows.tolist()):
                    file.seek(row * size)
                    if file.readinto(pixels[place].data) != size:
                        raise InputError(f"{self.path} is cut off: delete its folder, and the images are decoded again")
        except OSError as error:
            raise InputError(f"{self.path} cannot be read: {error.strerror or error}") from error
        return send(torch.from_numpy(pixels).view(self.shape), torch.device(self.device))


def loaded(inputs: Inputs | StoredImages) -> Inputs | Tensor:
    """Read images that are stored; hand on everything else."""
    return inputs.load() if isinstance(inputs, StoredImages) else inputs
