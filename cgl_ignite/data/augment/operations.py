"""Operations on raw images: each image of a batch has an operation and a strength of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from cgl_ignite.data.augment.base import images_only
from cgl_ignite.data.send import send
from cgl_ignite.errors import InputError
from cgl_ignite.spec import InputSpec

__all__ = ["OPERATIONS", "Operation", "Strongest", "apply_drawn", "apply_each", "grey_or_colour", "parameter_table"]

_WHITE = 255
_PARAMETERS = 6

Operation: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Images uint8 (B, C, H, W) and the parameters of each, float32 (B, 6), on their device, to new images."""


def _identity(images: Tensor, parameters: Tensor) -> Tensor:
    return images


def _affine(images: Tensor, parameters: Tensor) -> Tensor:
    """Fetch each pixel from the nearest one to ``M (x, y, 1)``; the origin is the centre, all around is black."""
    height, width = images.shape[-2:]
    across = torch.arange(width, device=images.device) - (width - 1) / 2
    down = torch.arange(height, device=images.device)[:, None] - (height - 1) / 2
    rows = parameters.view(-1, 2, 3, 1, 1)
    column, line = (
        (rows[:, i, 0] * across + rows[:, i, 1] * down + rows[:, i, 2] + (size - 1) / 2).round_().long()
        for i, size in enumerate((width, height))
    )
    inside = (column >= 0) & (column < width) & (line >= 0) & (line < height)
    source = (line * width + column).mul_(inside).flatten(1)
    pixels = images.flatten(2).gather(2, source[:, None].expand(-1, images.shape[1], -1))
    return pixels.view_as(images).mul_(inside[:, None])


def _brightness(images: Tensor, parameters: Tensor) -> Tensor:
    return _levels(images * parameters[:, 0].view(-1, 1, 1, 1))


def _colour(images: Tensor, parameters: Tensor) -> Tensor:
    return _blend(images, _grey(images), parameters) if images.shape[1] > 1 else images


def _contrast(images: Tensor, parameters: Tensor) -> Tensor:
    return _blend(images, _grey(images).mean((1, 2, 3), keepdim=True), parameters)


def _sharpness(images: Tensor, parameters: Tensor) -> Tensor:
    """Blend with a blurred image; the border is kept, and so are images that consist of nothing else."""
    if min(images.shape[-2:]) < 3:
        return images
    sharp = images.float()
    weights = torch.ones(3, 3, device=images.device)
    weights[1, 1] = 5
    blurred = F.conv2d(sharp.flatten(0, 1).unsqueeze(1), weights[None, None]).div_(13).round_()
    inner = sharp[..., 1:-1, 1:-1]
    inner.addcmul_(blurred.view_as(inner) - inner, parameters[:, 1].view(-1, 1, 1, 1))
    return _levels(sharp)


def _posterize(images: Tensor, parameters: Tensor) -> Tensor:
    return images & parameters[:, 0].byte().view(-1, 1, 1, 1)


def _solarize(images: Tensor, parameters: Tensor) -> Tensor:
    return torch.where(images >= parameters[:, 0].view(-1, 1, 1, 1), images.bitwise_not(), images)


def _auto_contrast(images: Tensor, parameters: Tensor) -> Tensor:
    lowest, highest = (level(images, (2, 3), True).float() for level in (torch.amin, torch.amax))
    flat = lowest == highest
    stretched = (images - lowest.masked_fill(flat, 0)).div_(((highest - lowest) * (1 / _WHITE)).masked_fill_(flat, 1))
    return _levels(stretched)


def _equalize(images: Tensor, parameters: Tensor) -> Tensor:
    """Spread the levels of each channel, as Pillow does: level k becomes (pixels below k + step // 2) // step."""
    pixels = images.flatten(2).long()
    counts = torch.zeros(*pixels.shape[:2], _WHITE + 1, dtype=torch.int32, device=images.device)
    counts.scatter_add_(2, pixels, torch.ones_like(pixels, dtype=torch.int32))
    brightest = counts.gather(2, pixels.amax(2, keepdim=True))
    step = (pixels.shape[2] - brightest).div_(_WHITE, rounding_mode="floor")
    below = counts.cumsum(2) - counts
    table = (below + step // 2).div_(step.clamp(min=1), rounding_mode="floor").clamp_(max=_WHITE).byte()
    spread = table.gather(2, pixels).view_as(images)
    return torch.where(step.unsqueeze(3) > 0, spread, images)


def _blend(images: Tensor, others: Tensor, parameters: Tensor) -> Tensor:
    """Take the first parameter's share of the images and the second one's of the others."""
    own, other = parameters[:, :2].view(-1, 2, 1, 1, 1).unbind(1)
    return _levels((images * own).addcmul(others, other))


def _grey(images: Tensor) -> Tensor:
    """Whole levels of grey, float32 (B, 1, H, W)."""
    if images.shape[1] == 1:
        return images.float()
    red, green, blue = images[:, :1], images[:, 1:2], images[:, 2:]
    return red.mul(0.2989).add_(green, alpha=0.587).add_(blue, alpha=0.114).floor_()


def _levels(values: Tensor) -> Tensor:
    return values.clamp_(0, _WHITE).byte()


OPERATIONS: dict[str, Operation] = {
    "Identity": _identity,
    "ShearX": _affine,
    "ShearY": _affine,
    "TranslateX": _affine,
    "TranslateY": _affine,
    "Rotate": _affine,
    "Brightness": _brightness,
    "Color": _colour,
    "Contrast": _contrast,
    "Sharpness": _sharpness,
    "Posterize": _posterize,
    "Solarize": _solarize,
    "AutoContrast": _auto_contrast,
    "Equalize": _equalize,
}
"""The operations under torchvision's names; neighbours that share a function are done by one call."""


@dataclass(frozen=True)
class Strongest:
    """The largest magnitudes of a space of operations.

    Attributes:
        shear: the tangent of the angle.
        right: pixels of a horizontal shift, rounded towards zero.
        down: pixels of a vertical shift.
        angle: degrees of a rotation.
        blend: by how much the factor of brightness, colour, contrast and sharpness differs from 1.
        bits: how many of a level's 8 bits are dropped.
    """

    shear: float
    right: float
    down: float
    angle: float
    blend: float
    bits: int


def parameter_table(strongest: Strongest, magnitudes: int, height: int, width: int) -> Tensor:
    """List the parameters of every operation at evenly spaced magnitudes, with both signs.

    Shape: float32 (14, magnitudes, 2, 6), on the CPU, for :func:`apply_each`.
    """

    def spaced(largest: float) -> Tensor:
        return torch.linspace(0.0, largest, magnitudes).double()[:, None] * torch.tensor([1, -1])

    shear, blend, angle = spaced(strongest.shear), spaced(strongest.blend), spaced(strongest.angle).deg2rad()
    cos, sin = angle.cos(), angle.sin()
    dropped = (torch.arange(magnitudes)[:, None] / ((magnitudes - 1) / strongest.bits) - 8).round() + 8
    rows: dict[str, tuple[Tensor | float, ...]] = {
        "ShearX": (1, shear, shear * height / 2, 0, 1, 0),
        "ShearY": (1, 0, 0, shear, 1, shear * width / 2),
        "TranslateX": (1, 0, -spaced(strongest.right).trunc(), 0, 1, 0),
        "TranslateY": (1, 0, 0, 0, 1, -spaced(strongest.down).trunc()),
        "Rotate": (cos, -sin, 0, sin, cos, 0),
        **dict.fromkeys(("Brightness", "Color", "Contrast", "Sharpness"), (1 + blend, -blend)),
        "Posterize": (256 - 2**dropped,),
        "Solarize": (_WHITE * torch.linspace(1, 0, magnitudes).double()[:, None],),
    }
    table = torch.zeros(len(OPERATIONS), magnitudes, 2, _PARAMETERS)
    for number, name in enumerate(OPERATIONS):
        for place, value in enumerate(rows.get(name, ())):
            table[number, ..., place] = value
    return table


def apply_each(
    images: Tensor, operations: Tensor, parameters: Tensor, among: Mapping[str, Operation] = OPERATIONS
) -> Tensor:
    """Apply to each image its operation.

    Images are sorted by operation, and each operation changes all of its images together.

    Shape: images uint8 (B, C, H, W), on any device; operations int64 (B,), places in ``among``, and
    parameters float32 (B, 6), on the CPU; result as the images.
    """
    order = operations.argsort(stable=True)
    there = send(order, images.device)
    counts = torch.bincount(operations, minlength=len(among)).tolist()
    runs = groupby(zip(among.values(), counts, strict=True), key=lambda pair: pair[0])
    sizes = {operation: sum(count for _, count in run) for operation, run in runs}
    parts = images.index_select(0, there).split([*sizes.values()])
    given = send(parameters[order], images.device).split([*sizes.values()])
    changed = [change(*pair) for change, *pair in zip(sizes, parts, given, strict=True) if len(pair[0])]
    return torch.empty_like(images).index_copy_(0, there, torch.cat(changed))


def apply_drawn(images: Tensor, table: Tensor, magnitudes: Tensor, generator: torch.Generator) -> Tensor:
    """Apply to each image an operation that is drawn, at its magnitude, with a sign that is drawn.

    Shape: images uint8 (B, C, H, W); table as :func:`parameter_table` makes it; magnitudes int64 (B,), places in it.
    """
    operations = torch.randint(len(OPERATIONS), (len(images),), generator=generator)
    signs = torch.randint(2, (len(images),), generator=generator)
    return apply_each(images, operations, table[operations, magnitudes, signs])


def grey_or_colour(kind: str, spec: InputSpec) -> None:
    """Refuse a data set whose images are neither grey nor RGB.

    Raises:
        InputError: it holds no images, or images with another number of channels than 1 and 3.
    """
    images_only(kind, spec)
    if spec.shape[0] not in (1, 3):
        raise InputError(f"{kind!r} is for images of 1 or 3 channels, not {spec.shape[0]}", key="data.augment.kind")
