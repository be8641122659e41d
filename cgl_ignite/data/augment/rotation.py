"""Rotations by random angles: drawn per sample, applied per batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import torch
from pydantic import Field

from cgl_ignite.data.augment.base import AUGMENTATIONS, Augmentation, Samples, images_only
from cgl_ignite.data.augment.operations import OPERATIONS
from cgl_ignite.data.send import send
from cgl_ignite.spec import InputSpec

__all__ = ["rotation"]


@AUGMENTATIONS.register("rotation", modality="image")
def rotation(spec: InputSpec, *, degrees: Annotated[float, Field(gt=0, le=180)] = 15.0) -> Augmentation:
    """Rotate each image around its centre, by an angle that is drawn evenly from -degrees to degrees.

    As in ``torchvision.transforms.v2.RandomRotation``, the nearest pixel is taken, and black comes in from outside.
    Where two pixels are equally near, torchvision may take the other one.

    Args:
        spec: the form of the images.
        degrees: the largest angle.

    Raises:
        InputError: the data set does not hold images.
    """
    images_only("rotation", spec)
    rotate = OPERATIONS["Rotate"]

    def augment(samples: Samples, generator: torch.Generator) -> Samples:
        drawn = 2 * torch.rand(len(samples.rows), generator=generator) - 1
        cos, sin, zero = drawn.mul(degrees).deg2rad().cos(), drawn.mul(degrees).deg2rad().sin(), torch.zeros(len(drawn))
        parameters = torch.stack([cos, -sin, zero, sin, cos, zero], 1)
        return replace(samples, inputs=rotate(samples.inputs, send(parameters, samples.inputs.device)))

    return augment
