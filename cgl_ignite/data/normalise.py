"""Inputs of zero mean and unit variance per channel, as measured on the training part."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cgl_ignite.data.stored import StoredImages, loaded
from cgl_ignite.data.text.ragged import Ragged

__all__ = ["Normaliser", "PadTokens", "measure_normaliser"]

_LEVELS = 256
_LEVELS_AT_ONCE = 2**22
"""Counting them takes eight bytes each."""


@dataclass(frozen=True, eq=False)
class Normaliser:
    r"""Turn levels 0..255 into floats, per channel: :math:`(x / 255 - \text{mean}) / \text{std}`.

    ``mean`` and ``std`` are in units of [0, 1].

    Shape: mean and std float32 (C,); inputs uint8 (B, C, H, W); result float32 (B, C, H, W).

    Example:
        >>> normalise = Normaliser(mean=torch.tensor([0.2]), std=torch.tensor([0.4]))
        >>> levels = torch.tensor([0, 51, 255], dtype=torch.uint8)
        >>> [round(x, 3) for x in normalise(levels.view(1, 1, 1, 3)).flatten().tolist()]
        [-0.5, 0.0, 2.0]
    """

    mean: Tensor
    std: Tensor

    def __call__(self, inputs: Tensor) -> Tensor:
        """Normalise a batch."""
        shape = (-1, *(1,) * (inputs.dim() - 2))
        scale = 1 / ((_LEVELS - 1) * self.std)
        return inputs.float().mul_(scale.view(shape)).sub_((self.mean / self.std).view(shape))

    def to(self, device: torch.device | str) -> Normaliser:
        """Hold mean and std on a device."""
        return Normaliser(self.mean.to(device), self.std.to(device))


class PadTokens:
    """Hand token ids on as they are, as integers that an embedding reads, rows of different lengths padded.

    Shape: inputs (B, T) of any integer type, or B rows; result int64 (B, T).
    """

    def __call__(self, inputs: Tensor | Ragged) -> Tensor:
        """Pad a batch."""
        return inputs.padded() if isinstance(inputs, Ragged) else inputs.long()

    def to(self, device: torch.device | str) -> PadTokens:
        """Return itself: there is nothing to move."""
        return self


def measure_normaliser(inputs: Tensor | StoredImages) -> Normaliser:
    """Measure mean and standard deviation per channel, exactly, from the histogram of the levels.

    A channel with one level only gets the standard deviation of one level step, so it becomes zero.

    Shape: inputs uint8 (N, C, H, W).
    """
    counts = torch.zeros(inputs.shape[1], _LEVELS, dtype=torch.int64)
    for part in inputs.split(max(1, _LEVELS_AT_ONCE // inputs.shape[1:].numel())):
        channels = loaded(part).transpose(0, 1).flatten(1)
        counts += torch.stack([torch.bincount(channel, minlength=_LEVELS) for channel in channels])
    histogram = counts.double()
    levels = torch.arange(_LEVELS, dtype=torch.float64) / (_LEVELS - 1)
    share = histogram / histogram.sum(1, keepdim=True)
    mean = share @ levels
    variance = (share * (levels - mean[:, None]) ** 2).sum(1)
    return Normaliser(mean.float(), variance.sqrt().clamp_min(1 / (_LEVELS - 1)).float())
