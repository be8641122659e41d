"""Any network of PyTorch as an ordered list of layers: traced, measured, cut where one tensor crosses."""

from cgl_ignite.backbones.cutting.network import cut_network

__all__ = ["cut_network"]
