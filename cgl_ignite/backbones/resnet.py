"""Residual networks (He et al. 2016), in their form for CIFAR (a 3x3 stem, no max-pool) or for ImageNet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Literal

from pydantic import Field
from torch import nn

from cgl_ignite.backbones.base import BACKBONES, Backbone, LayerBuilder, initialise
from cgl_ignite.compat import ensure_torchvision
from cgl_ignite.spec import InputSpec

__all__ = ["resnet8", "resnet18", "resnet34"]

Width = Annotated[int, Field(ge=1, le=2**16)]
Stem = Literal["cifar", "imagenet"]


@BACKBONES.register("resnet8", modality="image")
def resnet8(spec: InputSpec, classes: int, *, width: Width = 16) -> Backbone:
    """Stem and three blocks (4 layers) of widths w, 2w, 4w: for small images and quick trials."""
    return _resnet(spec, classes, width, blocks=(1, 1, 1))


@BACKBONES.register("resnet18", modality="image")
def resnet18(spec: InputSpec, classes: int, *, width: Width = 64, stem: Stem = "cifar") -> Backbone:
    """Stem and 2-2-2-2 blocks: 9 layers, 11,173,962 parameters at width 64 with 10 classes.

    With ``stem = "imagenet"``, for images of about 96 pixels and more, it is the network of torchvision: a 7x7
    convolution of stride 2 and a max-pool make images four times smaller before the first block.
    """
    return _resnet(spec, classes, width, blocks=(2, 2, 2, 2), stem=stem)


@BACKBONES.register("resnet34", modality="image")
def resnet34(spec: InputSpec, classes: int, *, width: Width = 64, stem: Stem = "cifar") -> Backbone:
    """Stem and 3-4-6-3 blocks: 17 layers, 21,282,122 parameters at width 64 with 10 classes; stems of resnet18."""
    return _resnet(spec, classes, width, blocks=(3, 4, 6, 3), stem=stem)


def _resnet(
    spec: InputSpec,
    classes: int,
    width: int,
    blocks: Sequence[int],
    stem: Stem = "cifar",
) -> Backbone:
    layers: list[LayerBuilder] = [partial(_STEMS[stem], spec.shape[0], width)]
    channels = width
    for stage, count in enumerate(blocks):
        for index in range(count):
            stride = 2 if stage > 0 and index == 0 else 1
            layers.append(partial(_block, channels, width * 2**stage, stride))
            channels = width * 2**stage
    return Backbone(tuple(layers), partial(_classifier, channels, classes), stages=(1, *blocks))


def _small_stem(channels: int, width: int) -> nn.Module:
    convolution = nn.Conv2d(channels, width, kernel_size=3, padding=1, bias=False)
    return initialise(nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU(inplace=True)))


def _large_stem(channels: int, width: int) -> nn.Module:
    convolution = nn.Conv2d(channels, width, kernel_size=7, stride=2, padding=3, bias=False)
    pool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
    return initialise(nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU(inplace=True), pool))


_STEMS: dict[str, Callable[[int, int], nn.Module]] = {"cifar": _small_stem, "imagenet": _large_stem}


def _block(channels: int, width: int, stride: int) -> nn.Module:
    ensure_torchvision()
    from torchvision.models.resnet import BasicBlock

    shortcut = None
    if stride > 1 or channels != width:
        projection = nn.Conv2d(channels, width, kernel_size=1, stride=stride, bias=False)
        shortcut = nn.Sequential(projection, nn.BatchNorm2d(width))
    return initialise(BasicBlock(channels, width, stride, shortcut))


def _classifier(channels: int, classes: int) -> nn.Module:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))
