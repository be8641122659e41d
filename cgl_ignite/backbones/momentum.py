"""The momentum of batch normalisation, set for all layers of a backbone."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from cgl_ignite.backbones.base import Backbone, LayerBuilder
from cgl_ignite.errors import InputError

__all__ = ["refuse_without_norms", "with_momentum"]

KEY = "backbone.momentum"


def with_momentum(backbone: Backbone, momentum: float | None) -> Backbone:
    """Let running statistics move by this share towards those of each batch; None keeps the layers as they are."""
    if momentum is None:
        return backbone
    *layers, classifier = (partial(_built, each, momentum) for each in (*backbone.layers, backbone.classifier))
    return replace(backbone, layers=tuple(layers), classifier=classifier)


def refuse_without_norms(backbone: Backbone) -> None:
    """Make sure that a backbone has batch normalisation.

    Raises:
        InputError: it has none.
    """
    layers = (builder() for builder in (*backbone.layers, backbone.classifier))
    if not any(isinstance(part, _BatchNorm) for layer in layers for part in layer.modules()):
        raise InputError("is for batch normalisation, which this network does not have; leave it out", key=KEY)


def _built(builder: LayerBuilder, momentum: float) -> nn.Module:
    layer = builder()
    for part in layer.modules():
        if isinstance(part, _BatchNorm):
            part.momentum = momentum
    return layer
