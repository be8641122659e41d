"""The weights that a pool is to begin with, held against its backbone before any data are read."""

from __future__ import annotations

from cgl_ignite.backbones import BACKBONES, Backbone, WrongInput
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.data import input_of, look_at
from cgl_ignite.pretrained import Beginning, check_weights

__all__ = ["try_weights"]


def try_weights(pipeline: Pipeline, *, fetch: bool = False) -> Beginning | None:
    """Tell what the pool of a pipeline begins with; None if that is random, or not on this machine.

    Of the data only names and headers are looked at.

    Args:
        pipeline: that names the weights.
        fetch: whether published weights that are not here are fetched.

    Raises:
        InputError: weights that cannot be had, or are those of another network.
    """
    if pipeline.backbone.weights is None:
        return None
    data = pipeline.data
    spec, classes, certain = input_of(data.kind, data.encoding, look_at(data.kind, data.options, files=True))
    try:
        backbone: Backbone = BACKBONES.build(pipeline.backbone, spec, classes)
    except WrongInput:
        if certain:
            raise
        return None
    return check_weights(pipeline, backbone, classes, fetch=fetch)
