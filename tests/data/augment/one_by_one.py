"""torchvision's operations on one image after the other."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from cgl_ignite import compat  # noqa: F401  (before torchvision)

from torchvision.transforms import v2  # isort: skip
from torchvision.transforms.v2 import functional as tv  # isort: skip

Space = type[v2.TrivialAugmentWide] | type[v2.RandAugment]

LEAST = {"angle": 0.0, "scale": 1.0, "translate": [0, 0], "shear": [0.0, 0.0]}

OPERATIONS: dict[str, Callable[[Tensor, float], Tensor]] = {
    "Identity": lambda image, m: image,
    "ShearX": lambda image, m: tv.affine(image, **LEAST | {"shear": [shear(m), 0.0]}, center=[0, 0]),
    "ShearY": lambda image, m: tv.affine(image, **LEAST | {"shear": [0.0, shear(m)]}, center=[0, 0]),
    "TranslateX": lambda image, m: tv.affine(image, **LEAST | {"translate": [int(m), 0]}),
    "TranslateY": lambda image, m: tv.affine(image, **LEAST | {"translate": [0, int(m)]}),
    "Rotate": tv.rotate,
    "Brightness": lambda image, m: tv.adjust_brightness(image, 1 + m),
    "Color": lambda image, m: tv.adjust_saturation(image, 1 + m),
    "Contrast": lambda image, m: tv.adjust_contrast(image, 1 + m),
    "Sharpness": lambda image, m: tv.adjust_sharpness(image, 1 + m),
    "Posterize": lambda image, m: tv.posterize(image, int(m)),
    "Solarize": lambda image, m: tv.solarize(image, 255 * m),
    "AutoContrast": lambda image, m: tv.autocontrast(image),
    "Equalize": lambda image, m: tv.equalize(image),
}
"""What torchvision's policies do with an image and a magnitude."""


def shear(tangent: float) -> float:
    return math.degrees(math.atan(tangent))


def magnitude(space: Space, name: str, bins: int, place: int, negative: bool, shape: torch.Size) -> float:
    """One of torchvision's magnitudes."""
    spaced, signed = space._AUGMENTATION_SPACE[name]
    magnitudes = spaced(bins, *shape[-2:])
    if magnitudes is None:
        return 0.0
    return float(magnitudes[place]) * (-1 if signed and negative else 1)


def share_of_other_pixels(images: Tensor, others: Tensor) -> float:
    return float((images != others).float().mean())
