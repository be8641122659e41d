"""Rectangles of images erased at random: drawn per image, applied per batch."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from cgl_ignite.data.augment.base import AUGMENTATIONS, Augmentation, Samples, check_range, images_only
from cgl_ignite.data.send import send
from cgl_ignite.spec import InputSpec

__all__ = ["random_erasing"]

Share = Annotated[float, Field(gt=0, le=1)]
Ratio = Annotated[float, Field(gt=0)]


@AUGMENTATIONS.register("random_erasing", modality="image", normalised=True)
def random_erasing(
    spec: InputSpec,
    *,
    probability: Share = 0.25,
    area: tuple[Share, Share] = (0.02, 0.33),
    ratio: tuple[Ratio, Ratio] = (0.3, 3.33),
    noise: bool = False,
) -> Augmentation:
    r"""Erase a rectangle of some images: it becomes the mean colour, which is 0 after normalisation, or noise.

    .. math:: h = \sqrt{S r}, \quad w = \sqrt{S / r}, \quad S \sim \mathcal U(\text{area}) \cdot H W,
        \quad \log r \sim \mathcal U(\log \text{ratio})

    h and w are rounded and then clamped to at least one pixel and at most the image, where Zhong et al. 2020 and
    torchvision draw again. The rectangle lies inside the image, anywhere with equal chances. All is drawn for each
    image.

    Reference: Zhong et al., "Random Erasing Data Augmentation", 2020, algorithm 1.

    Args:
        spec: the form of the images.
        probability: of an image losing a rectangle.
        area: the smallest and the largest share of the image that is erased.
        ratio: the smallest and the largest height of the rectangle in units of its width.
        noise: whether each pixel and channel is drawn from the standard normal distribution, in place of 0.

    Raises:
        InputError: the data set does not hold images, or the largest area or ratio is below the smallest.
    """
    images_only("random_erasing", spec)
    check_range("area", area)
    check_range("ratio", ratio)
    height, width = spec.shape[1:]

    def augment(samples: Samples, generator: torch.Generator) -> Samples:
        images, count = samples.inputs, len(samples.rows)
        drawn, share, aspect, down, across = torch.rand(5, count, generator=generator)
        pixels = _between(share, *area) * (height * width)
        aspect = _between(aspect, *map(math.log, ratio)).exp()
        lines = _window((pixels * aspect).sqrt(), down, height)
        columns = _window((pixels / aspect).sqrt(), across, width)
        erased = (drawn < probability).nonzero().squeeze(1)
        inside = send(lines[erased, None, :, None] & columns[erased, None, None, :], images.device)
        there = send(erased, images.device)
        kept = images.index_select(0, there)
        fill = torch.randn(kept.shape, generator=generator) if noise else torch.zeros(())
        changed = torch.where(inside, send(fill, images.device).to(images.dtype), kept)
        return replace(samples, inputs=images.index_copy(0, there, changed))

    return augment


def _between(drawn: Tensor, smallest: float, largest: float) -> Tensor:
    """Move draws from [0, 1) to an interval."""
    return smallest + (largest - smallest) * drawn


def _window(length: Tensor, drawn: Tensor, size: int) -> Tensor:
    """Tell which of ``size`` pixels lie in a window; its place is drawn from [0, 1). Shape: (B,) to bool (B, size)."""
    length = length.round().clamp(1, size)
    first = (drawn * (size - length + 1)).floor().minimum(size - length)
    pixels = torch.arange(size)
    return (pixels >= first[:, None]) & (pixels < (first + length)[:, None])
