"""Random crops and mirror images: drawn per sample, applied per batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from cgl_ignite.data.augment.base import AUGMENTATIONS, Augmentation, Samples, images_only
from cgl_ignite.data.send import send
from cgl_ignite.spec import InputSpec

__all__ = ["crop_flip", "crop_windows", "draw_mirrored"]


@AUGMENTATIONS.register("crop_flip", modality="image")
def crop_flip(
    spec: InputSpec, *, padding: Annotated[int, Field(ge=0)] = 4, flip: bool | Literal["alternating"] = True
) -> Augmentation:
    """Pad with black, crop a window of the old size at random, and mirror every other image on average.

    Reference: He et al., "Deep Residual Learning for Image Recognition", 2016, section 4.2.

    Args:
        spec: the form of the images.
        padding: black pixels on each side.
        flip: whether images are mirrored at random; ``alternating``: at random in the first pass over the data, and
            then in every other pass, so that two passes show each image in both ways (Jordan 2024).

    Raises:
        InputError: the data set does not hold images.
    """
    images_only("crop_flip", spec)

    def augment(samples: Samples, generator: torch.Generator) -> Samples:
        inputs, rows = samples.inputs, len(samples.inputs)
        corners = torch.randint(2 * padding + 1, (2, rows), generator=generator)
        mirrored = draw_mirrored(samples, flip, generator)
        top, left, mirror = send(torch.cat([corners, mirrored.long()[None]]), inputs.device)
        cropped = crop_windows(F.pad(inputs, (padding,) * 4), top, left, mirror.bool(), spec.shape)
        return replace(samples, inputs=cropped)

    return augment


def draw_mirrored(samples: Samples, flip: bool | Literal["alternating"], generator: torch.Generator) -> Tensor:
    """Draw which images are mirrored, as the option ``flip`` of :func:`crop_flip` says, bool (B,)."""
    drawn = torch.randint(2 if flip else 1, (len(samples.rows),), generator=generator).bool()
    return _alternating(samples.rows, samples.passed).bool() if flip == "alternating" else drawn


_MULTIPLIER = 2_654_435_761
"""Of a multiplicative hash (Knuth): it takes half of the rows, whatever their order."""


def _alternating(rows: Tensor, passed: int) -> Tensor:
    """Tell which rows are mirrored in a pass: one half of them in even passes, the other one in odd passes, (B,)."""
    return ((rows * _MULTIPLIER >> 16) + passed) % 2


def crop_windows(inputs: Tensor, top: Tensor, left: Tensor, mirror: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Cut one window out of each image, mirrored where asked, in a single gather.

    Shape: inputs (B, C, H', W'); top, left int64 (B,); mirror bool (B,); ``shape`` (C, H, W);
    result (B, C, H, W).

    Example:
        >>> image = torch.arange(12).view(1, 1, 3, 4)
        >>> at = torch.tensor([1])
        >>> crop_windows(image, at, at, torch.tensor([True]), (1, 2, 3)).tolist()
        [[[[7, 6, 5], [11, 10, 9]]]]
    """
    channels, height, width = shape
    down = torch.arange(height, device=inputs.device)
    across = torch.arange(width, device=inputs.device)
    columns = left[:, None] + torch.where(mirror[:, None], width - 1 - across, across)
    lines = top[:, None] + down
    window = (lines[:, :, None] * inputs.shape[-1] + columns[:, None, :]).flatten(1)
    pixels = inputs.flatten(2).gather(2, window[:, None, :].expand(-1, channels, -1))
    return pixels.view(len(inputs), channels, height, width)
