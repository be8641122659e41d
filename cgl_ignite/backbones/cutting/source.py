"""How a network is made: its builder imported by name, its options, and what is changed in it for a pool."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from cgl_ignite.compat import ensure_torchvision
from cgl_ignite.errors import InputError, first_line, nearest
from cgl_ignite.plugins import import_plugin

__all__ = ["Source", "find_builder"]

_WITH_ACTIVATION = ("timm.layers.norm_act", "BatchNormAct2d")


def find_builder(name: str) -> Callable[..., nn.Module]:
    """Import a function or class by its dotted name, such as ``torchvision.models.resnet18``.

    Raises:
        InputError: a name that cannot be imported, or is not callable.
    """
    if "." not in name:
        raise _wrong(f"must be the dotted name of a function or class that returns a torch.nn.Module, not {name!r}")
    ensure_torchvision()
    first, *rest = name.split(".")
    try:
        import_plugin(first)
    except InputError as error:
        raise _wrong(f"cannot import {name!r}: {error.message}") from error
    found: Any = importlib.import_module(first)
    path = first
    for part in rest:
        inner = _inner(found, path, part)
        if inner is None:
            raise _wrong(f"cannot import {name!r}: {path} has no {part!r}{nearest(part, dir(found))}")
        found, path = inner, f"{path}.{part}"
    if not callable(found):
        raise _wrong(f"{name!r} is a {type(found).__name__}; it must be a function or class that returns a module")
    builder: Callable[..., nn.Module] = found
    return builder


def _inner(found: Any, path: str, part: str) -> Any:
    if hasattr(found, part):
        return getattr(found, part)
    try:
        return importlib.import_module(f"{path}.{part}")
    except ModuleNotFoundError:
        return None
    except Exception as error:
        fault = f"cannot import {path}.{part} ({type(error).__name__}: {first_line(error)})"
        raise _wrong(fault) from error


def _wrong(message: str) -> InputError:
    return InputError(message, key="backbone.build")


@dataclass(frozen=True)
class Source:
    """A recipe for a network, which makes a fresh one each time.

    Attributes:
        builder: of the network.
        options: that it is called with.
        replaced: new modules in the place of some, by their names.
        added: further modules and constants, by their names.
    """

    builder: Callable[..., nn.Module]
    options: Mapping[str, Any]
    replaced: Mapping[str, Callable[[], nn.Module]]
    added: Mapping[str, Callable[[], nn.Module] | Tensor]

    @classmethod
    def of(cls, builder: Callable[..., nn.Module], options: Mapping[str, Any]) -> Source:
        """Return the recipe of a network as it is."""
        return cls(builder, options, {}, {})

    def with_modules(self, replaced: Mapping[str, Callable[[], nn.Module]]) -> Source:
        """Return a recipe in which some modules are replaced."""
        return replace(self, replaced={**self.replaced, **replaced})

    def with_additions(self, added: Mapping[str, Callable[[], nn.Module] | Tensor]) -> Source:
        """Return a recipe with further modules and constants."""
        return replace(self, added={**self.added, **added})

    def make(self) -> nn.Module:
        """Make a network by PyTorch's global generator.

        Its dropout does not work in place, and batch normalisation stands apart from an activation that timm joins it
        with.

        Raises:
            InputError: options that the builder does not take, or a result that is no module.
        """
        return self.adapted(self.plain())

    def plain(self) -> nn.Module:
        """Make a network as its builder makes it.

        Raises:
            InputError: options that the builder does not take, or a result that is no module.
        """
        try:
            network = self.builder(**self.options)
        except Exception as error:
            fault = f"the network cannot be built ({type(error).__name__}: {first_line(error)})"
            raise InputError(fault, key="backbone.options") from error
        if not isinstance(network, nn.Module):
            raise _wrong(f"must return a torch.nn.Module, not a {type(network).__name__}")
        return network

    def adapted(self, network: nn.Module) -> nn.Module:
        """Change a network for a pool, in place."""
        for name, module in self.replaced.items():
            network.set_submodule(name, module())
        for name, addition in self.added.items():
            setattr(network, name, addition.clone() if isinstance(addition, Tensor) else addition())
        for name, part in list(network.named_modules()):
            if (type(part).__module__, type(part).__name__) == _WITH_ACTIVATION:
                network.set_submodule(name, _taken_apart(part))
            if isinstance(part, _DropoutNd):
                part.inplace = False
        return network


def _taken_apart(part: Any) -> nn.Sequential:
    """Return the normalisation, the dropout and the activation that a module runs, with its weights."""
    norm = nn.BatchNorm2d(part.num_features, part.eps, part.momentum, part.affine, part.track_running_stats)
    norm.weight, norm.bias = part.weight, part.bias
    for name, buffer in part.named_buffers(recurse=False):
        setattr(norm, name, buffer)
    return nn.Sequential(norm, part.drop, part.act)
