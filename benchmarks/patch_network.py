"""A network so small that reading images is what counts."""

from __future__ import annotations

from torch import nn

__all__ = ["PatchNetwork"]

_WIDTH = 32


class PatchNetwork(nn.Sequential):
    """A small network for large images: its first convolution reads patches of 8 x 8 pixels."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__(
            *self._layer(nn.Conv2d(3, _WIDTH, 8, stride=8, bias=False)),
            *self._layer(nn.Conv2d(_WIDTH, _WIDTH, 3, stride=2, padding=1, bias=False)),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(_WIDTH, classes),
        )

    @staticmethod
    def _layer(convolution: nn.Conv2d) -> tuple[nn.Module, ...]:
        return convolution, nn.BatchNorm2d(_WIDTH), nn.ReLU()
