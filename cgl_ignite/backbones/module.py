"""Any network of PyTorch as a backbone: cut into layers by :mod:`cgl_ignite.backbones.cutting`."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Annotated, Any

from pydantic import Field
from torch import nn

from cgl_ignite.backbones.base import BACKBONES, Backbone
from cgl_ignite.backbones.cutting.network import cut_network
from cgl_ignite.backbones.cutting.source import find_builder
from cgl_ignite.backbones.published import of_timm, of_torchvision
from cgl_ignite.compat import ensure_torchvision
from cgl_ignite.errors import InputError
from cgl_ignite.spec import InputSpec

__all__ = ["module", "timm"]

Layers = Annotated[int, Field(ge=1)] | tuple[str, ...]


@BACKBONES.register("module", modality="image", published=of_torchvision)
def module(
    spec: InputSpec,
    classes: int,
    *,
    build: str,
    options: dict[str, Any] | None = None,
    layers: Layers | None = None,
    classifier: str | None = None,
) -> Backbone:
    """A network of your own or of a library, cut into layers where one tensor crosses.

    Args:
        spec: the form of one input.
        classes: their number; the classifier of the network is replaced if it has another.
        build: the dotted name of a function or class that returns the network.
        options: that it is called with.
        layers: their number, or the names of modules that begin a layer (``"features.*"``: all children). By default
            8, or as many as the network can be cut into.
        classifier: the name of the module that makes the logits; by default the last linear layer.

    Raises:
        InputError: a network that cannot be imported, built, traced or cut.
    """
    return _found(_cut(find_builder(build), json.dumps(options or {}), spec, classes, layers, classifier))


@BACKBONES.register("timm", modality="image", listed=False, published=of_timm)
def timm(
    spec: InputSpec,
    classes: int,
    *,
    model: str,
    options: dict[str, Any] | None = None,
    layers: Layers | None = None,
    classifier: str | None = None,
) -> Backbone:
    """A network of timm, cut into layers as those of the kind ``module`` are.

    Args:
        spec: the form of one input.
        classes: their number.
        model: the name that ``timm.create_model`` is called with.
        options: further arguments of it.
        layers: as of :func:`module`.
        classifier: as of :func:`module`.

    Raises:
        InputError: timm is not installed, or a network that cannot be built, traced or cut.
    """
    if importlib.util.find_spec("timm") is None:
        raise InputError("needs the package timm: pip install 'cgl_ignite[timm]'", key="backbone.kind")
    ensure_torchvision()
    create: Callable[..., nn.Module] = importlib.import_module("timm").create_model
    given = {"num_classes": classes, "in_chans": spec.shape[0], **(options or {})}
    return _found(_cut(_Named(create, model), json.dumps(given), spec, classes, layers, classifier))


class _Named(partial[nn.Module]):
    """A function with its arguments, equal to another of the same."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Named) and (self.func, self.args) == (other.func, other.args)

    def __hash__(self) -> int:
        return hash((self.func, self.args))


@lru_cache(maxsize=8)
def _cut(
    builder: Callable[..., nn.Module],
    options: str,
    spec: InputSpec,
    classes: int,
    layers: Layers | None,
    classifier: str | None,
) -> Backbone | InputError:
    """Cut a network once; every rule of a pipeline that asks for the backbone gets the same answer."""
    arguments: Mapping[str, Any] = json.loads(options)
    try:
        return cut_network(builder, arguments, spec, classes, layers, classifier)
    except InputError as error:
        return error


def _found(result: Backbone | InputError) -> Backbone:
    if isinstance(result, InputError):
        raise result
    return result
