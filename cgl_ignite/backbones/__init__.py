"""Backbones: ordered layers that students are made of."""

from cgl_ignite.backbones import resnet, transformer, vdcnn
from cgl_ignite.backbones.base import BACKBONES, Backbone, LayerBuilder, channel_means

__all__ = ["BACKBONES", "Backbone", "LayerBuilder", "channel_means", "resnet", "transformer", "vdcnn"]
