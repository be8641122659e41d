"""The graph of a network that cannot be traced: its children, called one after another."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, fx, nn

__all__ = ["chain"]


def chain(network: nn.Module, inputs: Tensor, inside: Sequence[str]) -> fx.Graph | None:
    """Return the graph that calls the children of a network in order, or None if this is not what the network does.

    Children of an ``nn.Sequential`` take its place. Images are flattened before a linear layer.

    Args:
        network: in the mode in which both are compared.
        inputs: on which they have to give the same.
        inside: names of modules whose children take their place, too.
    """
    graph = fx.Graph()
    node, values = graph.placeholder("inputs"), inputs
    try:
        for name, module in _units(network, "", inside):
            if isinstance(next(module.modules()), nn.Linear) and values.dim() > 2 and values.shape[-1] == 1:
                node, values = graph.call_function(torch.flatten, (node, 1)), values.flatten(1)
            node, values = graph.call_module(name, (node,)), module(values)
        expected = network(inputs)
    except Exception:  # noqa: BLE001 - whatever a child raises that is given what it does not take
        return None
    graph.output(node)
    return graph if isinstance(values, Tensor) and torch.equal(values, expected) else None


def _units(module: nn.Module, prefix: str, inside: Sequence[str]) -> list[tuple[str, nn.Module]]:
    units: list[tuple[str, nn.Module]] = []
    for name, child in module.named_children():
        path = f"{prefix}{name}"
        opened = type(child) is nn.Sequential or any(other.startswith(f"{path}.") for other in inside)
        units += _units(child, f"{path}.", inside) if opened else [(path, child)]
    return units
