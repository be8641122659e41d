"""Pools that begin with trained weights: where these come from, whether they fit, and how modules differ then."""

from cgl_ignite.pretrained.begin import Beginning, begin_with, check_weights, refuse_unfit, shared_layers
from cgl_ignite.pretrained.files import identify_weights, weights_to_fetch
from cgl_ignite.pretrained.starts import STARTS, Start

__all__ = [
    "STARTS",
    "Beginning",
    "Start",
    "begin_with",
    "check_weights",
    "identify_weights",
    "refuse_unfit",
    "shared_layers",
    "weights_to_fetch",
]
