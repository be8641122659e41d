"""Very deep convolutional networks over characters (Conneau et al. 2017): embedding, a convolution, four stages."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from cgl_ignite.backbones.base import BACKBONES, Backbone, LayerBuilder
from cgl_ignite.errors import InputError
from cgl_ignite.spec import InputSpec

__all__ = ["KMaxPool", "vdcnn9", "vdcnn17", "vdcnn29"]

Width = Annotated[int, Field(ge=1, le=2**16)]
Pooling = Literal["kmax", "adaptive"]
Layers = Literal["blocks", "convolutions"]

_KEPT = 8
_HIDDEN = 32


class KMaxPool(nn.Module):
    """Keep the k largest values of each channel, in the order in which they stand. Shape: (B, C, T) to (B, C, k).

    In evaluation, the earlier ones of equal values are kept, as by ONNX's ``TopK``, so that a student answers alike in
    every library and on every device. In training it is any of them, as ``topk`` is more than twice as fast.

    Example:
        >>> import torch
        >>> KMaxPool(2)(torch.tensor([[[5.0, 1.0, 9.0, 2.0]]])).tolist()
        [[[5.0, 9.0]]]
        >>> KMaxPool(2).eval()(torch.tensor([[[0.0, 3.0, 0.0, 0.0]]])).tolist()
        [[[0.0, 3.0]]]
    """

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k

    def forward(self, values: Tensor) -> Tensor:
        if self.training:
            largest = values.topk(self.k, dim=2, sorted=False).indices
        else:
            largest = values.sort(dim=2, descending=True, stable=True).indices[:, :, : self.k]
        return values.gather(2, largest.sort(dim=2).values)


class _Characters(nn.Embedding):
    """Embed symbols as channels; texts that come shorter are filled with padding. Shape: (B, T) to (B, D, length)."""

    def __init__(self, vocabulary: int, size: int, length: int) -> None:
        super().__init__(vocabulary, size, padding_idx=0)
        self.length = length

    def forward(self, symbols: Tensor) -> Tensor:
        return super().forward(F.pad(symbols, (0, self.length - symbols.shape[1]))).transpose(1, 2)


class _Residual(nn.Module):
    """A block without its last rectifier, with a shortcut around it. Shape: (B, C, T) to (B, D, T)."""

    def __init__(self, block: nn.Module, channels: int, width: int) -> None:
        super().__init__()
        self.block = block
        self.shortcut = nn.Sequential()
        if channels != width:
            projection = nn.Conv1d(channels, width, kernel_size=1, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm1d(width))

    def forward(self, values: Tensor) -> Tensor:
        return F.relu(self.block(values) + self.shortcut(values))


@BACKBONES.register("vdcnn9", modality="text")
def vdcnn9(
    spec: InputSpec,
    classes: int,
    *,
    embedding: Width = 16,
    width: Width = 64,
    shortcut: bool = False,
    pooling: Pooling = "kmax",
    layers: Layers = "blocks",
) -> Backbone:
    """Embedding, a convolution and 1-1-1-1 blocks: 6 layers, 14,180,117 parameters for 69 symbols and 5 classes.

    Args:
        spec: the length of a text and the number of symbols.
        classes: their number.
        embedding: size of a symbol's embedding.
        width: channels of the first stage; each further one doubles them.
        shortcut: add the input of a block to its result.
        pooling: keep the 8 largest values of a channel (``kmax``), or the largest of 8 equal windows.
        layers: a block of two convolutions is a layer, or each convolution by itself (10 layers).
    """
    return _vdcnn(spec, classes, (1, 1, 1, 1), embedding, width, shortcut, pooling, layers)


@BACKBONES.register("vdcnn17", modality="text")
def vdcnn17(
    spec: InputSpec,
    classes: int,
    *,
    embedding: Width = 16,
    width: Width = 64,
    shortcut: bool = False,
    pooling: Pooling = "kmax",
    layers: Layers = "blocks",
) -> Backbone:
    """Embedding, a convolution and 2-2-2-2 blocks: 10 layers; options as those of :func:`vdcnn9`."""
    return _vdcnn(spec, classes, (2, 2, 2, 2), embedding, width, shortcut, pooling, layers)


@BACKBONES.register("vdcnn29", modality="text")
def vdcnn29(
    spec: InputSpec,
    classes: int,
    *,
    embedding: Width = 16,
    width: Width = 64,
    shortcut: bool = False,
    pooling: Pooling = "kmax",
    layers: Layers = "blocks",
) -> Backbone:
    """Embedding, a convolution and 5-5-2-2 blocks: 16 layers; options as those of :func:`vdcnn9`."""
    return _vdcnn(spec, classes, (5, 5, 2, 2), embedding, width, shortcut, pooling, layers)


def _vdcnn(
    spec: InputSpec,
    classes: int,
    blocks: Sequence[int],
    embedding: int,
    width: int,
    shortcut: bool,
    pooling: Pooling,
    layers: Layers,
) -> Backbone:
    length = spec.shape[0]
    if shortcut and layers == "convolutions":
        raise InputError("a shortcut spans two convolutions: take shortcut = false, or layers = 'blocks'")
    if length <= 2 ** (len(blocks) - 1) * (_KEPT - 1):
        raise InputError(
            f"texts of {length} symbols leave fewer than {_KEPT} positions after {len(blocks) - 1} halvings; "
            f"take at least {2 ** (len(blocks) - 1) * (_KEPT - 1) + 1}"
        )
    last = partial(KMaxPool if pooling == "kmax" else nn.AdaptiveMaxPool1d, _KEPT)
    builders: list[LayerBuilder] = [
        partial(_Characters, spec.vocabulary, embedding, length),
        partial(_first, embedding, width),
    ]
    stages = [len(builders)]
    channels = width
    for stage, count in enumerate(blocks):
        pool = last if stage == len(blocks) - 1 else partial(nn.MaxPool1d, kernel_size=3, stride=2, padding=1)
        own = _stage(channels, width * 2**stage, count, shortcut, layers)
        builders += [*own[:-1], partial(_pooled, own[-1], pool)]
        stages.append(len(own))
        channels = width * 2**stage
    return Backbone(tuple(builders), partial(_classifier, channels, _HIDDEN * width, classes), tuple(stages))


def _stage(channels: int, width: int, blocks: int, shortcut: bool, layers: Layers) -> list[LayerBuilder]:
    inputs = [channels] + [width] * (blocks - 1)
    if layers == "blocks":
        return [partial(_block, before, width, shortcut) for before in inputs]
    return [partial(_convolution, before, width) for first in inputs for before in (first, width)]


def _first(embedding: int, width: int) -> nn.Module:
    return _drawn(nn.Conv1d(embedding, width, kernel_size=3, padding=1))


def _convolution(channels: int, width: int) -> nn.Sequential:
    convolution = _drawn(nn.Conv1d(channels, width, kernel_size=3, padding=1))
    return nn.Sequential(convolution, nn.BatchNorm1d(width), nn.ReLU(inplace=True))


def _block(channels: int, width: int, shortcut: bool) -> nn.Module:
    both = nn.Sequential(*_convolution(channels, width), *_convolution(width, width))
    return _drawn(_Residual(both[:-1], channels, width)) if shortcut else both


def _pooled(builder: LayerBuilder, pool: LayerBuilder) -> nn.Module:
    return nn.Sequential(builder(), pool())


def _classifier(channels: int, hidden: int, classes: int) -> nn.Module:
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(channels * _KEPT, hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, classes),
    )


def _drawn(module: nn.Module) -> nn.Module:
    """Draw convolution weights as He et al. (2015) do (fan in)."""
    for part in module.modules():
        if isinstance(part, nn.Conv1d):
            nn.init.kaiming_normal_(part.weight, mode="fan_in", nonlinearity="relu")
    return module
