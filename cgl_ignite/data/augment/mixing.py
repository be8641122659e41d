"""Mixing two images of a batch and the shares of their classes: mixup and CutMix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from cgl_ignite.data.augment.base import AUGMENTATIONS, Augmentation, Samples, images_only
from cgl_ignite.data.send import send
from cgl_ignite.spec import InputSpec

__all__ = ["cutmix", "mixup"]

Alpha = Annotated[float, Field(gt=0)]
Probability = Annotated[float, Field(gt=0, le=1)]
Partners = Literal["group", "all"]


@AUGMENTATIONS.register("mixup", modality="image", normalised=True)
def mixup(
    spec: InputSpec, *, alpha: Alpha = 0.2, probability: Probability = 1.0, partners: Partners = "group"
) -> Augmentation:
    r"""Blend each image with another one, and the shares of their classes alike (Zhang et al. 2018).

    .. math:: \tilde x = \lambda x + (1 - \lambda) x', \quad \tilde y = \lambda y + (1 - \lambda) y',
        \quad \lambda \sim \mathrm{Beta}(\alpha, \alpha)

    λ is drawn for each image.

    Args:
        spec: the form of the images.
        alpha: of the Beta distribution; 1 draws λ evenly from 0 to 1.
        probability: of an image being mixed.
        partners: ``group``: x' is another row of the sub-set that the student reads; ``all``: of any sub-set.

    Raises:
        InputError: the data set does not hold images.
    """
    images_only("mixup", spec)

    def blend(images: Tensor, others: Tensor, shares: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        own = send(shares.to(images.dtype), images.device)
        return torch.lerp(others, images, own.view(-1, 1, 1, 1)), own

    return _mixing(blend, alpha, probability, partners)


@AUGMENTATIONS.register("cutmix", modality="image", normalised=True)
def cutmix(
    spec: InputSpec, *, alpha: Alpha = 1.0, probability: Probability = 0.5, partners: Partners = "group"
) -> Augmentation:
    r"""Replace a rectangle of each image by that of another one; classes count by their area (Yun et al. 2019).

    The rectangle has :math:`\sqrt{1 - \lambda}` of the height and of the width, with λ drawn from Beta(α, α), and its
    centre anywhere; what lies outside of the image is cut off. λ and rectangle are drawn for each image.

    Args:
        spec: the form of the images.
        alpha: of the Beta distribution; 1 draws λ evenly from 0 to 1.
        probability: of an image being mixed.
        partners: ``group``: the other image is a row of the sub-set that the student reads; ``all``: of any sub-set.

    Raises:
        InputError: the data set does not hold images.
    """
    images_only("cutmix", spec)
    height, width = spec.shape[1:]

    def paste(images: Tensor, others: Tensor, shares: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        side = (1 - shares).sqrt()
        rows, columns = (
            _inside(side * size, torch.rand(len(side), generator=generator) * size, size) for size in (height, width)
        )
        own = 1 - rows.sum(1) * columns.sum(1) / (height * width)
        rows, columns = send(rows, images.device), send(columns, images.device)
        pasted = rows[:, None, :, None] & columns[:, None, None, :]
        return torch.where(pasted, others, images), send(own.to(images.dtype), images.device)

    return _mixing(paste, alpha, probability, partners)


def _inside(length: Tensor, centre: Tensor, size: int) -> Tensor:
    """Tell which of ``size`` pixels lie in a window. Shape: length and centre (B,); result bool (B, size)."""
    first = (centre - length / 2).round().clamp(0, size)
    last = (centre + length / 2).round().clamp(0, size)
    pixels = torch.arange(size)
    return (pixels >= first[:, None]) & (pixels < last[:, None])


Mix = Callable[[Tensor, Tensor, Tensor, torch.Generator], tuple[Tensor, Tensor]]
"""Images, their partners, wanted shares and a generator to mixed images and the share that each image keeps, (B,)."""


def _mixing(mix: Mix, alpha: float, probability: float, partners: Partners) -> Augmentation:
    def augment(samples: Samples, generator: torch.Generator) -> Samples:
        count, images = len(samples.rows), samples.inputs
        wanted = _beta(alpha, count, generator)
        wanted = torch.where(torch.rand(count, generator=generator) < probability, wanted, 1.0)
        sizes = samples.sizes if partners == "group" else (count,)
        other = send(_partners(sizes, generator), images.device)
        mixed, own = mix(images, images.index_select(0, other), wanted, generator)
        targets, weights = _mixed_targets(samples, other, own)
        return replace(samples, inputs=mixed, targets=targets, weights=weights)

    return augment


def _mixed_targets(samples: Samples, other: Tensor, own: Tensor) -> tuple[Tensor, Tensor | None]:
    r"""Mix the shares of the classes and the weights so that both labels count by the weight of their row.

    .. math:: w = \lambda w_1 + (1 - \lambda) w_2, \quad y = (\lambda w_1 y_1 + (1 - \lambda) w_2 y_2) / w

    Shape: other, own (B,); result (B, classes) and (B,).
    """
    shares, weights = samples.shares, samples.weights
    own = own.to(shares.dtype)
    if weights is not None:
        kept, taken = own * weights, (1 - own) * weights.index_select(0, other)
        weights = kept + taken
        own = torch.where(weights > 0, kept / weights, own)
    return torch.lerp(shares.index_select(0, other), shares, own.unsqueeze(1)), weights


def _beta(alpha: float, count: int, generator: torch.Generator) -> Tensor:
    """Draw shares from Beta(alpha, alpha): NumPy's draws, seeded by the generator. Shape: (count,)."""
    seed = int(torch.randint(2**62, (1,), generator=generator))
    return torch.from_numpy(np.random.default_rng(seed).beta(alpha, alpha, count)).float()


def _partners(sizes: Sequence[int], generator: torch.Generator) -> Tensor:
    """Draw a partner for each row, from the rows of its group. Shape: (sum(sizes),)."""
    starts = accumulate(sizes, initial=0)
    drawn = [start + torch.randperm(size, generator=generator) for start, size in zip(starts, sizes, strict=False)]
    return torch.cat(drawn)
