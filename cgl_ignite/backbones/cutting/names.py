"""How the operations of a graph are named in messages, and to which module they belong."""

from __future__ import annotations

from torch import fx

__all__ = ["common_depth", "describe", "is_within", "scope"]


def scope(node: fx.Node) -> str:
    """Return the name of the innermost module that an operation belongs to; empty for the network itself."""
    if node.op == "call_module":
        return str(node.target)
    stack = node.meta.get("nn_module_stack") or {"": None}
    return str(next(reversed(stack))).partition("@")[0]


def describe(node: fx.Node) -> str:
    """Name an operation, and the module whose forward runs it."""
    if node.op == "placeholder":
        return "the input"
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
    place = scope(node)
    return f"{name!r} of {place!r}" if place not in ("", name) else repr(name)


def is_within(node: fx.Node, module: str) -> bool:
    """Tell whether a module of this name runs an operation."""
    return f"{scope(node)}.".startswith(f"{module}.")


def common_depth(before: fx.Node, after: fx.Node) -> int:
    """Count the nested modules that run both of two operations, the network itself left out."""
    depth = 0
    for ours, theirs in zip(scope(before).split("."), scope(after).split("."), strict=False):
        if ours != theirs or not ours:
            break
        depth += 1
    return depth
