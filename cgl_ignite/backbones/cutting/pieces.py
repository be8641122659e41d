"""A graph cut into pieces, each a module that maps one tensor to one tensor and leaves its input as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, fx, nn

from cgl_ignite.backbones.base import WholeNetwork, is_part
from cgl_ignite.backbones.cutting.measure import steady
from cgl_ignite.backbones.cutting.source import Source
from cgl_ignite.errors import InputError, first_line
from cgl_ignite.seeding import global_stream

__all__ = ["CutNetwork", "Piece", "check_pieces", "cut_graph"]


@dataclass(frozen=True)
class Piece:
    """A builder of one layer: makes a whole network anew and keeps the part that the layer runs."""

    source: Source
    graph: fx.Graph

    def __call__(self) -> nn.Module:
        return self.of(self.source.make())

    def of(self, network: nn.Module) -> fx.GraphModule:
        """Return the layer as a part of a network, which keeps sharing it."""
        return fx.GraphModule(network, _copy(self.graph), class_name="Layer")


@dataclass(frozen=True)
class CutNetwork(WholeNetwork):
    """A network that was cut into pieces, the classifier last."""

    source: Source
    pieces: tuple[Piece, ...]
    classifier: str

    def weights(self) -> Mapping[str, Tensor]:
        with global_stream(0, "cut"):
            return self.source.plain().state_dict()

    def layers(self, weights: Mapping[str, Tensor]) -> Sequence[Mapping[str, Tensor]]:
        with global_stream(0, "cut"):
            network = self.source.plain()
            own = network.state_dict()
            fitting = {name: value for name, value in weights.items() if value.shape == own[name].shape}
            network.load_state_dict(fitting, strict=False)
            network = self.source.adapted(network)
        for name in self.source.replaced:
            if name != self.classifier:
                raise InputError(
                    f"the weights of {name!r} read another number of channels than the data have", "backbone.weights"
                )
        made = network.state_dict()
        for name in [name for name in made if is_part(name, self.classifier)]:
            del made[name]
        made |= {name: value for name, value in weights.items() if is_part(name, self.classifier)}
        return [{name: made[name] for name in piece.of(network).state_dict() if name in made} for piece in self.pieces]


def cut_graph(graph: fx.Graph, nodes: Sequence[fx.Node], places: Sequence[int], source: Source) -> list[Piece]:
    """Cut a graph at places between its operations; parameters go where they are read."""
    pieces = []
    entering = next(node for node in graph.nodes if node.op == "placeholder")
    for start, end in pairwise([0, *places, len(nodes)]):
        leaving = _leaving(graph, nodes, end)
        pieces.append(Piece(source, _part(nodes[start:end], entering, leaving)))
        entering = leaving
    return pieces


def check_pieces(pieces: Sequence[Piece], network: nn.Module, inputs: Tensor) -> list[Piece]:
    """Run pieces one after another, and let those that change their input copy it first.

    Raises:
        InputError: other results than those of the network in training or evaluation, or a piece that needs its input
            in one particular order in memory.
    """
    changing: set[int] = set()
    for mode in (True, False):
        expected = _run(network, inputs, mode)
        parts = [piece.of(network) for piece in pieces]
        found, changed = _run_all(parts, inputs, mode)
        changing |= changed
        if not torch.equal(expected, found):
            name = "training" if mode else "evaluation"
            raise InputError(f"the network cut into layers gives other results in {name} than as a whole", "backbone")
    pieces = [
        Piece(piece.source, _copy(piece.graph, cloned=True)) if number in changing else piece
        for number, piece in enumerate(pieces)
    ]
    if inputs.dim() == 4:
        _check_layout(pieces, network, inputs)
    return pieces


def _part(nodes: Sequence[fx.Node], entering: fx.Node, leaving: fx.Node) -> fx.Graph:
    graph = fx.Graph()
    made = {entering: graph.placeholder("inputs")}

    def taken(node: fx.Node) -> fx.Node:
        if node not in made:
            made[node] = graph.node_copy(node, taken)
        return made[node]

    for node in nodes:
        made[node] = graph.node_copy(node, taken)
    graph.output(made[leaving])
    return graph


def _leaving(graph: fx.Graph, nodes: Sequence[fx.Node], end: int) -> fx.Node:
    if end == len(nodes):
        output: fx.Node = next(node for node in graph.nodes if node.op == "output")
        return output.all_input_nodes[0]
    later = set(nodes[end:])
    return next(node for node in nodes[:end] if later.intersection(node.users))


def _copy(graph: fx.Graph, *, cloned: bool = False) -> fx.Graph:
    copy = fx.Graph()
    made: dict[fx.Node, fx.Node] = {}
    for node in graph.nodes:
        made[node] = copy.node_copy(node, made.__getitem__)
        if cloned and node.op == "placeholder":
            made[node] = copy.call_method("clone", (made[node],))
    return copy


def _run(module: nn.Module, inputs: Tensor, training: bool) -> Tensor:
    with torch.no_grad(), global_stream(0, "cut"):
        result: Tensor = module.train(training)(inputs.clone())
        return result


def _run_all(modules: Sequence[nn.Module], inputs: Tensor, training: bool) -> tuple[Tensor, set[int]]:
    """Run modules one after another; return the result, and the numbers of those that change their input."""
    changing = set()
    with torch.no_grad(), global_stream(0, "cut"):
        for number, module in enumerate(modules):
            values = inputs.clone()
            inputs = module.train(training)(values)
            changing |= {number} if values._version else set()
    return inputs, changing


def _check_layout(pieces: Sequence[Piece], network: nn.Module, inputs: Tensor) -> None:
    steady(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    try:
        with torch.no_grad():
            values = inputs.contiguous(memory_format=torch.channels_last)
            for piece in pieces:
                values = steady(piece.of(network))(values)
    except RuntimeError as error:
        raise InputError(
            f"an operation needs images in contiguous memory, but a pool keeps their channels last "
            f"({first_line(error)}); .reshape(...) instead of .view(...) may help",
            key="backbone",
        ) from error
