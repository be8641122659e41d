"""TrivialAugment and RandAugment: operations drawn per image, applied per batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import torch
from pydantic import Field

from cgl_ignite.data.augment.base import AUGMENTATIONS, Augmentation, Samples
from cgl_ignite.data.augment.operations import Strongest, apply_drawn, grey_or_colour, parameter_table
from cgl_ignite.errors import InputError
from cgl_ignite.spec import InputSpec

__all__ = ["rand_augment", "trivial_augment"]

Magnitudes = Annotated[int, Field(ge=2)]


@AUGMENTATIONS.register("trivial_augment", modality="image")
def trivial_augment(spec: InputSpec, *, num_magnitude_bins: Magnitudes = 31) -> Augmentation:
    """Change each image by one of 14 operations, with a magnitude and a sign that are drawn evenly.

    Reference: Müller & Hutter, "TrivialAugment: Tuning-free Yet State-of-the-Art Data Augmentation", 2021, the wide
    space: shear up to 0.99, shift up to 32 pixels, rotation up to 135°, brightness, colour, contrast and sharpness by
    factors from 0.01 to 1.99, 8 to 2 bits per level, solarization from any level on, auto-contrast, equalization, or no
    change.

    Operations and magnitudes are those of ``torchvision.transforms.v2.TrivialAugmentWide`` with its defaults: the
    nearest pixel is taken, and black comes in from outside. Where two pixels are equally near, such as in a rotation by
    90°, torchvision may take the other one; where the processor rounds each step, blends may differ by one level.
    A shift of 32 pixels leaves nothing of an image that is no larger.

    Args:
        spec: the form of the images.
        num_magnitude_bins: the number of magnitudes, evenly spaced from none to the largest.

    Raises:
        InputError: the data set does not hold images of 1 or 3 channels.
    """
    grey_or_colour("trivial_augment", spec)
    wide = Strongest(shear=0.99, right=32.0, down=32.0, angle=135.0, blend=0.99, bits=6)
    table = parameter_table(wide, num_magnitude_bins, *spec.shape[1:])

    def augment(samples: Samples, generator: torch.Generator) -> Samples:
        magnitudes = torch.randint(num_magnitude_bins, (len(samples.rows),), generator=generator)
        return replace(samples, inputs=apply_drawn(samples.inputs, table, magnitudes, generator))

    return augment


@AUGMENTATIONS.register("rand_augment", modality="image")
def rand_augment(
    spec: InputSpec,
    *,
    num_ops: Annotated[int, Field(ge=1)] = 2,
    magnitude: Annotated[int, Field(ge=0)] = 9,
    num_magnitude_bins: Magnitudes = 31,
) -> Augmentation:
    """Change each image by several operations in turn, all of one magnitude, with signs that are drawn.

    Reference: Cubuk et al., "RandAugment: Practical automated data augmentation with a reduced search space", 2020.

    The 14 operations are those of :func:`trivial_augment`, and so are the differences to
    ``torchvision.transforms.v2.RandAugment``. The largest magnitudes are: shear 0.3, a shift by 150/331 of the image,
    rotation by 30°, factors from 0.1 to 1.9, 4 bits per level, solarization of all levels.

    Args:
        spec: the form of the images.
        num_ops: operations per image; the same one may be drawn again.
        magnitude: which of the magnitudes all operations have; 0 is the weakest.
        num_magnitude_bins: the number of magnitudes, evenly spaced from none to the largest.

    Raises:
        InputError: the data set does not hold images of 1 or 3 channels, or there are too few magnitudes.
    """
    grey_or_colour("rand_augment", spec)
    if magnitude >= num_magnitude_bins:
        raise InputError(
            f"must be less than num_magnitude_bins ({num_magnitude_bins}), not {magnitude}",
            key="data.augment.magnitude",
        )
    height, width = spec.shape[1:]
    largest = Strongest(shear=0.3, right=150 / 331 * width, down=150 / 331 * height, angle=30.0, blend=0.9, bits=4)
    table = parameter_table(largest, num_magnitude_bins, height, width)

    def augment(samples: Samples, generator: torch.Generator) -> Samples:
        inputs, magnitudes = samples.inputs, torch.full((len(samples.rows),), magnitude)
        for _ in range(num_ops):
            inputs = apply_drawn(inputs, table, magnitudes, generator)
        return replace(samples, inputs=inputs)

    return augment
