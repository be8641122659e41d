"""Small networks of all sorts, for backbones of the kind ``module``."""

# mypy: disable-error-code="no-any-return,no-untyped-call"

from __future__ import annotations

import random
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

WIDTH = 6


def convolution(inputs: int, outputs: int, **options: Any) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False, **options),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def plain() -> nn.Sequential:
    """A plain ``nn.Sequential``."""
    blocks = [convolution(WIDTH, WIDTH) for _ in range(3)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(WIDTH, 5)]
    return nn.Sequential(convolution(3, WIDTH, stride=2), *blocks, *head)


def unnormalised() -> nn.Sequential:
    """A network without batch normalisation."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 5))


class Body(nn.Module):
    """A stem, blocks and a head; what the blocks do is told by the classes below."""

    def __init__(self, channels: int = 3, blocks: int = 3) -> None:
        super().__init__()
        self.stem = convolution(channels, WIDTH)
        self.blocks = nn.ModuleList([convolution(WIDTH, WIDTH) for _ in range(blocks)])
        self.head = nn.Linear(WIDTH, 5)

    def forward(self, inputs: Tensor) -> Tensor:
        values = self.stem(inputs)
        for block in self.blocks:
            values = self.block(block, values)
        return self.head(self.end(values.mean((2, 3))))

    def block(self, block: nn.Module, values: Tensor) -> Tensor:
        return block(values) + values

    def end(self, values: Tensor) -> Tensor:
        return values


class Residual(Body):
    """Residual blocks; functional dropout before the head, and ``view``."""

    def end(self, values: Tensor) -> Tensor:
        return F.dropout(values, 0.3, self.training).view(-1, WIDTH)


class ActsFirst(Body):
    """Blocks that begin with an operation in place, which changes their own shortcut too."""

    def block(self, block: nn.Module, values: Tensor) -> Tensor:
        return block(F.relu_(values)) + values


@fx.wrap
def louder(values: Tensor, training: bool) -> Tensor:
    return 2 * values if training else values


class InTraining(Body):
    """A constant, and a function that is told the mode."""

    def block(self, block: nn.Module, values: Tensor) -> Tensor:
        return louder(block(values), self.training) + torch.ones(3).sum()


class TwoTensors(Body):
    """The input is read by every block."""

    def forward(self, inputs: Tensor) -> Tensor:
        values = self.stem(inputs)
        for block in self.blocks:
            values = block(values) + inputs.mean((1, 2, 3), keepdim=True)
        return self.head(values.mean((2, 3)) + inputs.mean((1, 2, 3))[:, None])


class Tied(Body):
    """The first and the third block are one."""

    def __init__(self) -> None:
        super().__init__(blocks=4)
        self.blocks[2] = self.blocks[0]


class Children(nn.Module):
    """Cannot be traced, as its forward asks for a value; calls its children one after another."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = convolution(3, WIDTH)
        self.body = Branching(convolution(WIDTH, WIDTH), convolution(WIDTH, WIDTH))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(WIDTH, 5)

    def forward(self, inputs: Tensor) -> Tensor:
        values = self.pool(self.body(self.stem(inputs)))
        return self.head(torch.flatten(values, 1))


class Branching(nn.Sequential):
    def forward(self, inputs: Tensor) -> Tensor:
        if inputs.isnan().any():
            raise ValueError("not a number")
        return super().forward(inputs)


class Untraceable(Children):
    """Cannot be traced, and is no chain of its children."""

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs) + 1


class ModeDependent(Body):
    def end(self, values: Tensor) -> Tensor:
        return values.sin() if self.training else values.cos()


class Noisy(Body):
    def end(self, values: Tensor) -> Tensor:
        return values + torch.randn_like(values)


class FixedNoise(Body):
    def end(self, values: Tensor) -> Tensor:
        return values + torch.randn(WIDTH)


class AlwaysDropping(Body):
    def end(self, values: Tensor) -> Tensor:
        return F.dropout(values, 0.5, training=True)


class Instances(Body):
    def __init__(self) -> None:
        super().__init__()
        self.blocks[1] = nn.InstanceNorm2d(WIDTH, track_running_stats=True)


class Counting(Body):
    """A batch normalisation of its own kind."""

    def __init__(self) -> None:
        super().__init__()
        self.stem[1] = OwnNorm(WIDTH)


class OwnNorm(nn.BatchNorm2d):
    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs).relu()


class Mixing(Body):
    def end(self, values: Tensor) -> Tensor:
        return values - values.mean(0)


class Headless(Body):
    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Conv1d(1, 5, WIDTH)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.last(self.stem(inputs).mean((2, 3)).unsqueeze(1)).squeeze(2)


class Softmax(Body):
    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs).softmax(1)


class Maps(Body):
    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.stem(inputs).movedim(1, 3))


class Unseeded(Body):
    def __init__(self) -> None:
        super().__init__()
        nn.init.constant_(self.head.bias, random.random())


class Strict(Body):
    """Takes images of 16 x 16 only."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(WIDTH * 256, 5)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.stem(inputs).flatten(1))
