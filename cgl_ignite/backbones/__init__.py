"""Backbones: ordered layers that students are made of."""

from cgl_ignite.backbones import resnet
from cgl_ignite.backbones.base import BACKBONES, Backbone, LayerBuilder

__all__ = ["BACKBONES", "Backbone", "LayerBuilder", "resnet"]
