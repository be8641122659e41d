"""Windows of random size and shape, scaled to the size of the image: drawn per sample, applied per batch."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from cgl_ignite.data.augment.base import AUGMENTATIONS, Augmentation, Samples, check_range, images_only
from cgl_ignite.data.augment.crop_flip import draw_mirrored
from cgl_ignite.data.send import send
from cgl_ignite.spec import InputSpec

__all__ = ["draw_windows", "random_resized_crop", "resize_windows"]

Share = Annotated[float, Field(gt=0, le=1)]
Ratio = Annotated[float, Field(gt=0)]
_TRIES = 10


@AUGMENTATIONS.register("random_resized_crop", modality="image")
def random_resized_crop(
    spec: InputSpec,
    *,
    area: tuple[Share, Share] = (0.08, 1.0),
    ratio: tuple[Ratio, Ratio] = (0.75, 1.333),
    flip: bool | Literal["alternating"] = True,
) -> Augmentation:
    """Cut out a window of random area and shape, scale it to the old size, and mirror every other image on average.

    Windows are drawn as ``torchvision.transforms.v2.RandomResizedCrop`` draws them, which has the ratio upside down,
    and scaled by bilinear interpolation.

    Reference: Szegedy et al., "Going Deeper with Convolutions", 2015, section 6.

    Args:
        spec: the form of the images.
        area: the smallest and the largest share of the image in the window.
        ratio: the smallest and the largest height of the window in units of its width, before it is scaled.
        flip: as :func:`crop_flip` has it.

    Raises:
        InputError: the data set does not hold images, or the largest area or ratio is below the smallest.
    """
    images_only("random_resized_crop", spec)
    check_range("area", area)
    check_range("ratio", ratio)
    height, width = spec.shape[1:]

    def augment(samples: Samples, generator: torch.Generator) -> Samples:
        windows = draw_windows(len(samples.rows), height, width, area, ratio, generator)
        mirror = draw_mirrored(samples, flip, generator)
        return replace(samples, inputs=resize_windows(samples.inputs, windows, mirror))

    return augment


def draw_windows(
    count: int,
    height: int,
    width: int,
    area: tuple[float, float],
    ratio: tuple[float, float],
    generator: torch.Generator,
) -> Tensor:
    """Draw top, left, height and width of windows inside an image, float32 (4, count), all whole numbers.

    Of ten draws of area and ratio the first one counts whose window fits. Where none does, the window is the largest
    one in the middle that keeps to the limits of the ratio.
    """
    share, aspect = torch.rand(2, _TRIES, count, generator=generator)
    pixels = (area[0] + (area[1] - area[0]) * share) * (height * width)
    lowest, highest = map(math.log, ratio)
    shape = (lowest + (highest - lowest) * aspect).exp()
    sizes = torch.stack([(pixels * shape).sqrt(), (pixels / shape).sqrt()]).round()
    limits = torch.tensor([height, width]).view(2, 1, 1)
    possible = ((sizes >= 1) & (sizes <= limits)).all(0)
    first = possible.int().argmax(0).expand(2, 1, -1)
    chosen = torch.where(possible.any(0), sizes.gather(1, first).squeeze(1), _largest(height, width, ratio)[:, None])
    room = limits.squeeze(2) - chosen
    corner = (torch.rand(2, count, generator=generator) * (room + 1)).floor().minimum(room)
    corner = torch.where(possible.any(0), corner, room.div(2, rounding_mode="floor"))
    return torch.cat([corner, chosen])


def _largest(height: int, width: int, ratio: tuple[float, float]) -> Tensor:
    """Return height and width of the largest window within the limits of the ratio."""
    lowest, highest = ratio
    lines, columns = min(height, round(width * highest)), min(width, round(height / lowest))
    return torch.tensor([max(1, lines), max(1, columns)], dtype=torch.float32)


def resize_windows(images: Tensor, windows: Tensor, mirror: Tensor) -> Tensor:
    """Scale one window of each image to the size of the image, mirrored where asked.

    Pixels are interpolated linearly between their centres, and never from outside the window, as
    ``torch.nn.functional.interpolate`` does.

    Shape: images uint8 (B, C, H, W), on any device; windows float32 (4, B), as :func:`draw_windows` makes them, and
    mirror bool (B,), on the CPU; result as the images.
    """
    height, width = images.shape[-2:]
    top, left, lines, columns = windows[:, :, None]
    down = _sampled(top, lines, height)
    across = _sampled(left, columns, width)
    across = torch.where(mirror[:, None], across.flip(1), across)
    down, across = send(torch.cat([down, across], 1), images.device).split([height, width], 1)
    grid = torch.stack(
        [across[:, None, :].expand(-1, height, -1), down[:, :, None].expand(-1, -1, width)], dim=-1
    )  # (B, H, W, 2), x before y
    scaled = F.grid_sample(images.float(), grid, mode="bilinear", padding_mode="border", align_corners=False)
    return scaled.round_().byte()


def _sampled(first: Tensor, length: Tensor, size: int) -> Tensor:
    """Tell where the pixels of a scaled window lie, in units of half an image from its middle, (B, size)."""
    inside = ((torch.arange(size) + 0.5) * (length / size) - 0.5).clamp_(min=0).minimum(length - 1)
    return (2 * (first + inside) + 1) / size - 1
