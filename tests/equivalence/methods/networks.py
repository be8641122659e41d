"""Two small networks from plain ``torch.nn``: a residual one for images, a Transformer for tokens."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

TOKENS, POSITIONS, WIDTH, HEADS, HIDDEN = 20, 7, 16, 2, 8


@dataclass(frozen=True)
class Network:
    """Layers and classifier of one student, and what the methods need to know of them."""

    task: str
    layers: tuple[Callable[[], nn.Module], ...]
    classifier: Callable[[], nn.Module]
    trunk: int
    pooled: Callable[[Tensor], Tensor]
    trunk_width: int
    width: int

    def grow(self, students: int, shared: int) -> list[list[nn.Module]]:
        """Build the first ``shared`` layers once, and all others, with the classifier, for each student."""
        builders = (*self.layers, self.classifier)
        return [[build().double() for _ in range(students if n >= shared else 1)] for n, build in enumerate(builders)]


def run(modules: Iterable[nn.Module], values: Tensor) -> Tensor:
    for module in modules:
        values = module(values)
    return values


class Block(nn.Module):
    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.shortcut = nn.Sequential()
        if stride != 1 or channels != width:
            self.shortcut = nn.Sequential(nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, values: Tensor) -> Tensor:
        inner = self.norm1(self.conv1(values)).clamp(min=0)
        summed: Tensor = self.norm2(self.conv2(inner)) + self.shortcut(values)
        return summed.clamp(min=0)


class Mean(nn.Module):
    def __init__(self, *dims: int) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, values: Tensor) -> Tensor:
        return values.mean(self.dims)


class Embedding(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.empty(POSITIONS, WIDTH))
        self.table = nn.Parameter(torch.empty(TOKENS, WIDTH))

    def forward(self, tokens: Tensor) -> Tensor:
        return self.table[tokens] + self.places


class Attention(nn.Module):
    """A Transformer block, norms last, with the parameters in PyTorch's order."""

    def __init__(self) -> None:
        super().__init__()
        sizes = [(3 * WIDTH, WIDTH), (3 * WIDTH,), (WIDTH, WIDTH), (WIDTH,), (HIDDEN, WIDTH), (HIDDEN,)]
        sizes += [(WIDTH, HIDDEN), (WIDTH,), *[(WIDTH,)] * 4]
        self.weights = nn.ParameterList(torch.empty(size) for size in sizes)

    def forward(self, values: Tensor) -> Tensor:
        into, into_bias, out, out_bias, up, up_bias, down, down_bias, *norms = self.weights
        rows, places, _ = values.shape
        heads = (values @ into.T + into_bias).view(rows, places, 3, HEADS, WIDTH // HEADS)
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(-1, -2) / math.sqrt(WIDTH // HEADS)
        mixed = (scores.softmax(-1) @ value).transpose(1, 2).reshape(rows, places, WIDTH)
        values = normed(values + mixed @ out.T + out_bias, *norms[:2])
        hidden = (values @ up.T + up_bias).clamp(min=0)
        return normed(values + hidden @ down.T + down_bias, *norms[2:])


def normed(values: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    centred = values - values.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt() * scale + shift


def stem() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU())


IMAGE = Network(
    task="image",
    layers=(stem, lambda: Block(4, 4, 1), lambda: Block(4, 8, 2), lambda: Block(8, 16, 2)),
    classifier=lambda: nn.Sequential(Mean(2, 3), nn.Linear(16, 10)),
    trunk=3,
    pooled=lambda values: values.mean((2, 3)),
    trunk_width=8,
    width=16,
)
TEXT = Network(
    task="text",
    layers=(Embedding, Attention, Attention, Attention),
    classifier=lambda: nn.Sequential(Mean(1), nn.Linear(WIDTH, 4)),
    trunk=2,
    pooled=lambda values: values.mean(1),
    trunk_width=WIDTH,
    width=WIDTH,
)
