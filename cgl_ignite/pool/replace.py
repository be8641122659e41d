"""Layers of a module exchanged for others, wherever they stand in it."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

__all__ = ["replace_layers"]


def replace_layers(module: nn.Module, replacement: Callable[[nn.Module], nn.Module | None]) -> nn.Module:
    """Put a replacement in the place of every layer that has one; a layer with two names gets one for both.

    Args:
        module: changed in place; the result is another object only if the module itself is replaced.
        replacement: gives the new layer, or None to keep the old one.
    """
    holder = nn.Sequential(module)
    found: dict[nn.Module, nn.Module | None] = {}
    for name, part in list(holder.named_modules(remove_duplicate=False)):
        if part not in found:
            found[part] = replacement(part)
        new = found[part]
        if new is not None:
            parent, _, attribute = name.rpartition(".")
            setattr(holder.get_submodule(parent), attribute, new)
    return holder[0]
