"""The graph of a network: traced in training and in evaluation, or the chain of its children.

Both graphs of a trace have to be alike. Where a flag is true in training and false in evaluation, the result reads it
from the module that runs it.

Reference: https://docs.pytorch.org/docs/stable/fx.html
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from cgl_ignite.backbones.cutting.draws import drops_paths, unchanged_randomness
from cgl_ignite.backbones.cutting.names import describe
from cgl_ignite.errors import first_line

__all__ = ["CannotTrace", "trace"]

DROPOUTS = {
    F.dropout: nn.Dropout,
    F.dropout1d: nn.Dropout1d,
    F.dropout2d: nn.Dropout2d,
    F.dropout3d: nn.Dropout3d,
}
MODE = "training"

_TORCH = Path(torch.__file__).parent
_SKIPPED = (Path(__file__).parent,)


class CannotTrace(Exception):
    """A network whose operations do not form one graph: the message says which stands in the way."""


class _Tracer(fx.Tracer):
    """Goes into all modules but those of ``torch.nn``, linear layers, and those that a pool has its own version of."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        kept = isinstance(m, (_BatchNorm, nn.Linear)) or drops_paths(m)
        return kept or super().is_leaf_module(m, module_qualified_name)


def trace(make: Callable[[], nn.Module]) -> tuple[fx.Graph, dict[str, Callable[[], nn.Module] | Tensor]]:
    """Trace a network as it trains; return its graph, and the modules and constants that the graph needs besides.

    Args:
        make: makes the network, each time with the same weights.

    Raises:
        CannotTrace: with the operation that stands in the way.
    """
    graph, constants = _traced(make().train())
    evaluation, _ = _traced(make().eval())
    _follow_mode(graph, evaluation)
    dropouts = _as_modules(graph)
    for node in graph.nodes:
        if node.op == "call_method" and node.target == "view" and not _views_type(node):
            node.target = "reshape"
    return graph, {**constants, **dropouts}


def _traced(network: nn.Module) -> tuple[fx.Graph, dict[str, Tensor]]:
    before = set(vars(network))
    _take_one_input(network)
    tracer = _Tracer()
    try:
        with unchanged_randomness() as drawn:
            graph = tracer.trace(network)
    except Exception as error:
        raise CannotTrace(_place(error)) from error
    if drawn():
        raise CannotTrace("a random operation in forward whose size is fixed, such as torch.rand(3)")
    constants = {name: value for name, value in vars(network).items() if name not in before}
    return graph, {name: value for name, value in constants.items() if isinstance(value, Tensor)}


def _take_one_input(network: nn.Module) -> None:
    """Hide the optional parameters of forward, which keep their defaults."""
    kind = type(network)
    _, *more = [name for name in inspect.signature(kind.forward).parameters if name != "self"] or [""]
    if more:

        def forward(self: nn.Module, inputs: Tensor) -> Any:
            return kind.forward(self, inputs)

        network.__class__ = type(kind.__name__, (kind,), {"forward": forward, "__module__": kind.__module__})


def _place(error: Exception) -> str:
    """Say where in a network its tracing ends: the line of its own code, and what is wrong there."""
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<")
        and Path(frame.filename).parent not in _SKIPPED
        and _TORCH not in Path(frame.filename).parents
    ]
    place = f", in line {own[-1].lineno} of {own[-1].filename}: {own[-1].line}" if own else ""
    return f"{type(error).__name__}: {first_line(error)}{place}"


def _follow_mode(graph: fx.Graph, evaluation: fx.Graph) -> None:
    """Let flags that differ between both graphs be read from the module.

    Raises:
        CannotTrace: graphs that differ otherwise.
    """
    mode: list[fx.Node] = []

    def flag() -> fx.Node:
        if not mode:
            with graph.inserting_before(next(iter(graph.nodes))):
                mode.append(graph.create_node("get_attr", MODE))
        return mode[0]

    nodes, others = list(graph.nodes), list(evaluation.nodes)
    for node, other in zip(nodes, others, strict=False):
        if (node.op, node.target) != (other.op, other.target):
            raise CannotTrace(f"forward runs {describe(node)} in training, but {describe(other)} in evaluation")
        merge = partial(_merged, flag=flag, node=node)
        node.args, node.kwargs = merge(node.args, other.args), merge(node.kwargs, other.kwargs)
    if len(nodes) != len(others):
        raise CannotTrace("forward runs more operations in training than in evaluation, or fewer")


def _merged(ours: Any, other: Any, flag: Callable[[], fx.Node], node: fx.Node) -> Any:
    if isinstance(ours, (tuple, list)) and isinstance(other, (tuple, list)) and len(ours) == len(other):
        return type(ours)([_merged(*pair, flag, node) for pair in zip(ours, other, strict=True)])
    if isinstance(ours, Mapping) and isinstance(other, Mapping) and ours.keys() == other.keys():
        return {name: _merged(ours[name], other[name], flag, node) for name in ours}
    if isinstance(ours, fx.Node) and isinstance(other, fx.Node) and ours.name == other.name:
        return ours
    if ours is True and other is False:
        return flag()
    if not isinstance(ours, fx.Node) and repr(ours) == repr(other):
        return ours
    raise CannotTrace(f"{describe(node)} is called with {ours!r} in training, but with {other!r} in evaluation")


def _as_modules(graph: fx.Graph) -> dict[str, Callable[[], nn.Module]]:
    """Let dropout that a function does be done by a module, which a pool can give its own version of."""
    made: dict[str, Callable[[], nn.Module]] = {}
    for node in list(graph.nodes):
        if node.op != "call_function" or node.target not in DROPOUTS:
            continue
        given = inspect.signature(node.target).bind(*node.args, **node.kwargs)
        given.apply_defaults()
        flag = given.arguments["training"]
        if not (isinstance(flag, fx.Node) and flag.target == MODE) or isinstance(given.arguments["p"], fx.Node):
            continue
        name = f"functional_dropout_{len(made)}"
        made[name] = partial(DROPOUTS[node.target], given.arguments["p"])
        with graph.inserting_after(node):
            new = graph.create_node("call_module", name, (given.arguments["input"],))
        new.meta = {**node.meta, "called": True}
        node.replace_all_uses_with(new)
        graph.erase_node(node)
    return made


def _views_type(node: fx.Node) -> bool:
    return any(isinstance(value, torch.dtype) for value in (*node.args, *node.kwargs.values()))
