"""Random changes of training images that keep their class: drawn per sample, applied per batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeAlias

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from cgl_ignite.data.base import InputSpec
from cgl_ignite.data.send import send
from cgl_ignite.errors import InputError
from cgl_ignite.registry import Registry

__all__ = ["AUGMENTATIONS", "Augmentation", "crop_flip", "crop_windows", "none"]

Augmentation: TypeAlias = Callable[[Any, torch.Generator], Any]
"""Inputs as the examples hold them, such as uint8 (B, C, H, W), and a generator on the CPU to changed ones."""

AUGMENTATIONS: Registry[Callable[..., Augmentation]] = Registry("augmentation")
"""Builders ``(spec: InputSpec, *, options) -> Augmentation``."""


@AUGMENTATIONS.register("none")
def none(spec: InputSpec) -> Augmentation:
    """Leave the inputs as they are."""
    return lambda inputs, generator: inputs


@AUGMENTATIONS.register("crop_flip", modality="image")
def crop_flip(spec: InputSpec, *, padding: Annotated[int, Field(ge=0)] = 4, flip: bool = True) -> Augmentation:
    """Pad with black, crop a window of the old size at random, and mirror every other image on average.

    Reference: He et al., "Deep Residual Learning for Image Recognition", 2016, section 4.2.

    Raises:
        InputError: the data set does not hold images.
    """
    if spec.modality != "image":
        raise InputError(f"'crop_flip' is for images, the data set holds {spec.modality}", key="data.augment.kind")

    def augment(inputs: Tensor, generator: torch.Generator) -> Tensor:
        rows = len(inputs)
        corners = torch.randint(2 * padding + 1, (2, rows), generator=generator)
        mirrored = torch.randint(2 if flip else 1, (1, rows), generator=generator)
        top, left, mirror = send(torch.cat([corners, mirrored]), inputs.device)
        return crop_windows(F.pad(inputs, (padding,) * 4), top, left, mirror.bool(), spec.shape)

    return augment


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
