"""Backbones: ordered layers that students are made of."""

from cgl_ignite.backbones import encoder, module, resnet, transformer, vdcnn
from cgl_ignite.backbones.base import BACKBONES, Backbone, FrozenBuilder, LayerBuilder, WrongInput, channel_means

__all__ = [
    "BACKBONES",
    "Backbone",
    "FrozenBuilder",
    "LayerBuilder",
    "WrongInput",
    "channel_means",
    "encoder",
    "module",
    "resnet",
    "transformer",
    "vdcnn",
]
