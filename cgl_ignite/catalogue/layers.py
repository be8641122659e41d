"""Layers of the user's own backbones, run once before anything is trained."""

from __future__ import annotations

from cgl_ignite.backbones import BACKBONES, Backbone
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.data import input_of, look_at
from cgl_ignite.errors import InputError, first_line
from cgl_ignite.pool import modular_layers
from cgl_ignite.pool.probe import refuse_changed_inputs

__all__ = ["try_layers"]


def try_layers(pipeline: Pipeline) -> None:
    """Run the layers of a backbone on a few inputs, whose form has to be known without the data.

    Raises:
        InputError: a layer that fails, or changes its input.
    """
    data = pipeline.data
    spec, classes, certain = input_of(data.kind, data.encoding, look_at(data.kind, data.options, files=False))
    try:
        backbone: Backbone = BACKBONES.build(pipeline.backbone, spec, classes)
        refuse_changed_inputs(modular_layers(backbone), spec)
    except InputError:
        raise
    except Exception as error:
        if certain:
            fault = f"a layer fails on inputs of shape {spec.shape} ({type(error).__name__}: {first_line(error)})"
            raise InputError(fault, key="backbone") from error
