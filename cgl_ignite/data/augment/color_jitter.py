"""Random changes of brightness, contrast, saturation and hue: drawn per sample, applied per batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from cgl_ignite.data.augment.base import AUGMENTATIONS, Augmentation, Samples
from cgl_ignite.data.augment.operations import OPERATIONS, Operation, apply_each, grey_or_colour
from cgl_ignite.errors import InputError
from cgl_ignite.spec import InputSpec

__all__ = ["color_jitter"]

Strength = Annotated[float, Field(ge=0)]
_WHITE = 255
_PARAMETERS = 6
_SEXTANTS = 6


@AUGMENTATIONS.register("color_jitter", modality="image")
def color_jitter(
    spec: InputSpec,
    *,
    brightness: Strength = 0.4,
    contrast: Strength = 0.4,
    saturation: Strength = 0.4,
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0,
) -> Augmentation:
    """Change brightness, contrast, saturation and hue of each image, in an order and by factors that are drawn.

    Factors of the first three are drawn evenly from max(0, 1 - strength) to 1 + strength, the shift of the hue from
    -hue to hue, in turns of the colour circle. Changes and rounding are those of
    ``torchvision.transforms.v2.ColorJitter``; where the processor rounds each step, levels may differ by one. Hue and
    saturation leave grey images as they are.

    Reference: Howard, "Some Improvements on Deep Convolutional Neural Network Based Image Classification", 2013.

    Args:
        spec: the form of the images.
        brightness: by how much its factor differs from 1 at most.
        contrast: the same; the image is blended with the mean of its levels of grey.
        saturation: the same; the image is blended with its levels of grey.
        hue: the largest shift.

    Raises:
        InputError: the data set does not hold images of 1 or 3 channels, or nothing is changed.
    """
    grey_or_colour("color_jitter", spec)
    strengths = {"brightness": brightness, "contrast": contrast, "saturation": saturation, "hue": hue}
    changed = [name for name, strength in strengths.items() if strength]
    if not changed:
        raise InputError("brightness, contrast, saturation and hue are all 0", key="data.augment")
    chosen = {name: _CHANGES[name] for name in changed}

    def augment(samples: Samples, generator: torch.Generator) -> Samples:
        inputs, count = samples.inputs, len(samples.rows)
        order = torch.rand(count, len(chosen), generator=generator).argsort(1)
        drawn = 2 * torch.rand(count, len(chosen), generator=generator) - 1
        parameters = torch.stack([_parameters(name, strengths[name], drawn[:, i]) for i, name in enumerate(chosen)])
        for operations in order.T:
            inputs = apply_each(inputs, operations, parameters[operations, torch.arange(count)], chosen)
        return replace(samples, inputs=inputs)

    return augment


def _parameters(name: str, strength: float, drawn: Tensor) -> Tensor:
    """Return the parameters of a change for draws from [-1, 1): the factor and its difference to 1, or a shift."""
    parameters = torch.zeros(len(drawn), _PARAMETERS)
    if name == "hue":
        parameters[:, 0] = strength * drawn
        return parameters
    lowest, highest = max(0.0, 1 - strength), 1 + strength
    parameters[:, 0] = lowest + (highest - lowest) * (drawn + 1) / 2
    parameters[:, 1] = 1 - parameters[:, 0]
    return parameters


def _hue(images: Tensor, parameters: Tensor) -> Tensor:
    """Turn the hue of each pixel; its value and its saturation stay.

    With v the largest and m the smallest level, channel n of (red, green, blue) = (5, 3, 1) becomes
    v - (v - m) clamp(min(k, 4 - k), 0, 1), k = (n + 6 hue) mod 6.
    """
    if images.shape[1] == 1:
        return images
    levels = images.float() / _WHITE
    red, green, blue = levels.unbind(1)
    lowest, highest = levels.aminmax(dim=1)
    spread = highest - lowest
    divisor = spread.masked_fill(spread == 0, 1)
    sextant = torch.where(
        highest == red,
        (green - blue) / divisor,
        torch.where(highest == green, (blue - red) / divisor + 2, (red - green) / divisor + 4),
    )
    turned = sextant + _SEXTANTS * parameters[:, 0].view(-1, 1, 1)
    place = (torch.tensor([5.0, 3.0, 1.0], device=images.device).view(1, 3, 1, 1) + turned[:, None]) % _SEXTANTS
    share = torch.minimum(place, 4 - place).clamp_(0, 1)
    changed = highest[:, None] - spread[:, None] * share
    return changed.mul_(_WHITE + 1 - 1e-3).byte()


_CHANGES: dict[str, Operation] = {
    "brightness": OPERATIONS["Brightness"],
    "contrast": OPERATIONS["Contrast"],
    "saturation": OPERATIONS["Color"],
    "hue": _hue,
}
