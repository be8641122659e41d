"""Layers tried out on a few inputs, which each has to leave as they are: other modules and students read them, too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from cgl_ignite.backbones.base import FrozenBuilder, LayerBuilder
from cgl_ignite.errors import InputError
from cgl_ignite.seeding import global_stream
from cgl_ignite.spec import InputSpec

__all__ = ["ROWS", "inputs_for", "intact", "layer_for", "refuse_changed_inputs"]

ROWS = 2


def inputs_for(spec: InputSpec) -> Tensor:
    """Return a few inputs of this form; texts have their full length."""
    return torch.ones(ROWS, *spec.shape, dtype=torch.int64 if spec.modality == "text" else torch.float32)


def layer_for(builder: LayerBuilder, number: int) -> nn.Module:
    """Build a layer for training, or frozen as it is; its dropout does not work in place, as in the pool."""
    with global_stream(0, "probe", number):
        module = builder()
    if not isinstance(builder, FrozenBuilder):
        module.train()
    for part in module.modules():
        if isinstance(part, _DropoutNd):
            part.inplace = False
    return module


@contextmanager
def intact(inputs: Tensor, number: int, module: nn.Module) -> Iterator[Tensor]:
    """Lend a layer a copy of its inputs.

    Raises:
        InputError: the layer has changed them.
    """
    lent = inputs.clone()
    version = lent._version
    yield lent
    if lent._version != version or not (inputs.is_meta or torch.allclose(lent, inputs, 0, 0, equal_nan=True)):
        raise InputError(
            f"layer {number}, counted from 0, a {type(module).__name__}, changes its input, which other modules and "
            "students read too; a layer must leave its input as it is. A common cause is nn.ReLU(inplace=True) as the "
            "first operation of a layer",
            key="backbone",
        )


def refuse_changed_inputs(layers: Sequence[LayerBuilder], spec: InputSpec) -> None:
    """Run each layer as in training and as in evaluation.

    Raises:
        InputError: a layer that changes its input.
    """
    values = inputs_for(spec)
    with torch.no_grad():
        for number, builder in enumerate(layers):
            module = layer_for(builder, number)
            with intact(values, number, module) as lent:
                result: Tensor = module(lent)
            with intact(values, number, module) as lent:
                module.eval()(lent)
            values = result
