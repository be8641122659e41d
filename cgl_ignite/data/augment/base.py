"""Augmentation of training batches: random changes that keep the class, or mix the classes of two samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from cgl_ignite.errors import InputError
from cgl_ignite.registry import Registry
from cgl_ignite.spec import InputSpec

__all__ = [
    "AUGMENTATIONS",
    "Augmentation",
    "Samples",
    "build_augmentations",
    "check_range",
    "images_only",
    "texts_only",
]


@dataclass(frozen=True, eq=False)
class Samples:
    """The rows of one iteration while they are augmented.

    Attributes:
        inputs: as the examples hold them, such as uint8 (B, C, H, W); after normalisation float32.
        targets: int64 (B,) labels, or float32 (B, classes) shares of the classes once samples are mixed, or if they
            have several labels.
        classes: their number.
        sizes: how many of the rows belong to each data group, in order.
        rows: their indices in the training part, int64 (B,), on the CPU.
        passed: how many passes over the data went before.
        weights: how much each row counts in the loss with its label, float32 (B,); None if all count alike.
    """

    inputs: Any
    targets: Tensor
    classes: int
    sizes: tuple[int, ...]
    rows: Tensor
    passed: int
    weights: Tensor | None = None

    @property
    def shares(self) -> Tensor:
        """The share of each class in each sample, float32 (B, classes)."""
        return F.one_hot(self.targets, self.classes).float() if self.targets.dim() == 1 else self.targets


Augmentation: TypeAlias = Callable[[Samples, torch.Generator], Samples]
"""Changes the rows of an iteration with draws of a generator on the CPU."""

AUGMENTATIONS: Registry[Callable[..., Augmentation]] = Registry("augmentation")
"""Builders ``(spec: InputSpec, *, options) -> Augmentation``.

Facts of a kind: ``modality``; ``normalised``, True where it works on inputs that are normalised already.
"""


def build_augmentations(parts: Iterable[Any], spec: InputSpec) -> tuple[list[Augmentation], list[Augmentation]]:
    """Build the augmentations of a pipeline: those of raw inputs, and those of normalised ones, each in their order."""
    raw: list[Augmentation] = []
    normalised: list[Augmentation] = []
    for part in parts:
        stage = normalised if AUGMENTATIONS.facts(part.kind).get("normalised") else raw
        stage.append(AUGMENTATIONS.build(part, spec))
    return raw, normalised


def images_only(kind: str, spec: InputSpec) -> None:
    """Refuse a data set that does not hold images.

    Raises:
        InputError: it does not.
    """
    if spec.modality != "image":
        raise InputError(f"{kind!r} is for images, the data set holds {spec.modality}", key="data.augment.kind")


def texts_only(kind: str, spec: InputSpec) -> None:
    """Refuse a data set that does not hold texts.

    Raises:
        InputError: it does not.
    """
    if spec.modality != "text":
        raise InputError(f"{kind!r} is for texts, the data set holds {spec.modality}", key="data.augment.kind")


def check_range(name: str, values: tuple[float, float]) -> None:
    """Refuse an option that is the smallest and the largest value, if these are the wrong way round.

    Raises:
        InputError: they are.
    """
    smallest, largest = values
    if smallest > largest:
        message = f"must be the smallest and the largest value, not [{smallest:g}, {largest:g}]"
        raise InputError(message, key=f"data.augment.{name}")


@AUGMENTATIONS.register("none")
def none(spec: InputSpec) -> Augmentation:
    """Leave the inputs as they are."""
    return lambda samples, generator: samples
