"""The contract of a backbone: an ordered list of layers and a classifier."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from cgl_ignite.registry import Registry

__all__ = ["BACKBONES", "Backbone", "LayerBuilder", "initialise"]

LayerBuilder = Callable[[], nn.Module]


@dataclass(frozen=True)
class Backbone:
    """What a student is made of: L layers, stem first, and the classifier that follows the last one.

    Each builder makes one fresh module of its layer, so that a pool can hold several in parallel. A layer
    maps one tensor to one tensor; its modules are plain ``torch.nn``.
    """

    layers: tuple[LayerBuilder, ...]
    classifier: LayerBuilder


BACKBONES: Registry[Callable[..., Backbone]] = Registry("backbone")


def initialise(module: nn.Module) -> nn.Module:
    """Draw convolution weights as He et al. (2015) do (fan out); norms start as the identity."""
    for part in module.modules():
        if isinstance(part, (nn.Conv1d, nn.Conv2d)):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
    return module
