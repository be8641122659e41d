"""From a builder of networks to a backbone: trace or chain, fit, measure, cut, check."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, fx, nn

from cgl_ignite.backbones.base import Backbone, WrongInput, channel_means, position_means
from cgl_ignite.backbones.cutting.chain import chain
from cgl_ignite.backbones.cutting.cuts import Cuts
from cgl_ignite.backbones.cutting.fit import find_classifier, new_modules
from cgl_ignite.backbones.cutting.measure import example, measure, steady
from cgl_ignite.backbones.cutting.names import is_within, scope
from cgl_ignite.backbones.cutting.pieces import CutNetwork, check_pieces, cut_graph
from cgl_ignite.backbones.cutting.source import Source
from cgl_ignite.backbones.cutting.trace import CannotTrace, trace
from cgl_ignite.errors import InputError, first_line
from cgl_ignite.seeding import global_stream
from cgl_ignite.spec import InputSpec

__all__ = ["LAYERS", "cut_network"]

LAYERS = 8
"""The number of layers where none is asked for and there are cuts for it."""

PLUGIN = """  from cgl_ignite import BACKBONES, Backbone

  @BACKBONES.register("my_net", modality="image")
  def my_net(spec, classes):
      return Backbone(layers=(stem, body), classifier=head)  # functions that each return one fresh torch.nn.Module"""


def cut_network(
    builder: Callable[..., nn.Module],
    options: Mapping[str, Any],
    spec: InputSpec,
    classes: int,
    layers: int | Sequence[str] | None = None,
    classifier: str | None = None,
) -> Backbone:
    """Cut a network into layers of about equal cost, or at modules that are named, and a classifier.

    Args:
        builder: makes the network.
        options: that it is called with.
        spec: the form of one input.
        classes: their number; another number of logits is changed to it.
        layers: their number, or names of the modules that begin a new layer.
        classifier: the name of the module that makes the logits; by default the last linear layer.

    Raises:
        InputError: a network that cannot be made, traced or cut, that draws random numbers in a way that a pool cannot
            repeat, or that does not answer a row of logits.
        WrongInput: a network that fails on inputs of this form.
    """
    with global_stream(0, "cut"):
        source = Source.of(builder, options)
        _check_seeded(source)
        named = () if layers is None or isinstance(layers, int) else tuple(layers)
        source, graph, classifier = _graph(source, spec, classes, named, classifier)
        network = source.make()
        inputs = example(spec)
        _check_answer(steady(network), inputs, spec, classes)
        measured = measure(network, graph, inputs)
        cuts = Cuts(network, graph, measured)
        end = cuts.before(classifier)
        places = cuts.named(named, end) if named else cuts.equal(layers, end, LAYERS)  # type: ignore[arg-type]
        pieces = check_pieces(cut_graph(graph, cuts.nodes, [*places, end], source), network, inputs)
    ends = [0, *places, end, len(cuts.nodes)]
    outputs = [measured.shapes[cuts.crossing[place][0]] for place in (*places, end)]
    return Backbone(
        layers=tuple(pieces[:-1]),
        classifier=pieces[-1],
        stages=_stages(outputs),
        to_vector=position_means if _channels_last(cuts, network, places, outputs) else channel_means,
        names=tuple(_names(cuts.nodes, ends)),
        operations=tuple(_operations(cuts.nodes, ends, network)),
        whole=CutNetwork(source, tuple(pieces), classifier),
    )


def _graph(
    source: Source, spec: InputSpec, classes: int, named: Sequence[str], classifier: str | None
) -> tuple[Source, fx.Graph, str]:
    """Return the graph of a network, with the network fitted to its data and the name of its classifier."""
    reason = ""
    try:
        graph, additions = trace(source.make)
    except CannotTrace as error:
        graph, additions, reason = _children(source.make()), {}, str(error)
    source = source.with_additions(additions)
    network = source.make()
    classifier = find_classifier(graph, network, classifier)
    source = source.with_modules(new_modules(graph, network, classifier, classes, spec.shape[0]))
    if reason:
        fitted, inputs = steady(source.make()), example(spec)
        _check_answer(fitted, inputs, spec, classes)
        with torch.no_grad():
            found = chain(fitted, inputs, named)
        if found is None:
            raise InputError(
                f"the network cannot be traced ({reason}), and its children, called one after another, do not give "
                'its results; write its layers as a plugin instead, plugins = ["my_net"] and backbone = '
                '{ kind = "my_net" }:',
                key="backbone",
                example=PLUGIN,
            )
        graph = found
    return source, graph, classifier


def _children(network: nn.Module) -> fx.Graph:
    """Return a graph that calls all children, to look at their parameters."""
    graph = fx.Graph()
    for name, _ in network.named_children():
        graph.call_module(name, ())
    return graph


def _check_seeded(source: Source) -> None:
    states = []
    for _ in range(2):
        with global_stream(0, "cut"):
            states.append(source.make().state_dict())
    for name, value in states[0].items():
        if not torch.equal(value, states[1][name]):
            fault = f"the weights {name!r} are not drawn by PyTorch's generator, so that no seed repeats them"
            raise InputError(fault, key="backbone")


def _check_answer(network: nn.Module, inputs: Tensor, spec: InputSpec, classes: int) -> None:
    form = " x ".join(map(str, spec.shape))
    try:
        with torch.no_grad():
            answer = network(inputs)
    except Exception as error:
        fault = f"the network cannot take inputs of {form} ({type(error).__name__}: {first_line(error)})"
        raise WrongInput(fault, key="backbone") from error
    expected = (len(inputs), classes)
    if not isinstance(answer, Tensor) or tuple(answer.shape) != expected:
        found = f"shape {tuple(answer.shape)}" if isinstance(answer, Tensor) else f"a {type(answer).__name__}"
        raise InputError(f"the network must answer logits of shape {expected}, not {found}", key="backbone")
    if torch.allclose(answer.logsumexp(1), answer.new_zeros(()), atol=1e-4) or (
        bool((answer >= 0).all()) and torch.allclose(answer.sum(1), answer.new_ones(()), atol=1e-4)
    ):
        raise InputError("the network ends in a softmax; it must answer logits", key="backbone")


def _stages(outputs: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Group neighbours whose outputs have equally many positions; vectors belong to the stage before them."""
    stages: list[int] = []
    positions: tuple[int, ...] = ()
    for shape in outputs:
        if stages and (shape[2:] == positions or len(shape) == 2):
            stages[-1] += 1
        else:
            stages.append(1)
            positions = shape[2:]
    return tuple(stages) if len(stages) > 1 else (1,) * len(outputs)


def _channels_last(cuts: Cuts, network: nn.Module, places: Sequence[int], outputs: Sequence[tuple[int, ...]]) -> bool:
    """Tell whether most layers that end in positions are read by something that works on the last dimension."""
    votes = [
        _reads_last(cuts.nodes[place:], network)
        for place, shape in zip(places, outputs, strict=False)
        if len(shape) > 2
    ]
    return 2 * sum(votes) > len(votes)


def _reads_last(nodes: Sequence[fx.Node], network: nn.Module) -> bool:
    modules = (network.get_submodule(str(node.target)) for node in nodes if node.op == "call_module")
    first = next(part for module in modules for part in module.modules() if any(True for _ in part.parameters(False)))
    return isinstance(first, (nn.Linear, nn.LayerNorm, nn.MultiheadAttention))


def _names(nodes: Sequence[fx.Node], places: Sequence[int]) -> list[str]:
    """Say of each layer what it runs: the first and the last module that lies wholly in it."""
    names = []
    for start, end in pairwise(places):
        outside = [*nodes[:start], *nodes[end:]]
        held = [_whole(scope(node), outside) for node in nodes[start:end] if scope(node)] or ["no module"]
        names.append(held[0] if held[0] == held[-1] else f"{held[0]} to {held[-1]}")
    return names


def _operations(
    nodes: Sequence[fx.Node], places: Sequence[int], network: nn.Module
) -> Iterator[tuple[tuple[str, str], ...]]:
    """Yield what each layer runs: the outermost module around an operation that lies wholly in it, and what it does."""
    for start, end in pairwise(places):
        outside = [*nodes[:start], *nodes[end:]]
        around = {name: _whole(name, outside) for name in dict.fromkeys(map(scope, nodes[start:end]))}
        yield tuple((around[scope(node)], _does(node, network)) for node in nodes[start:end])


def _does(node: fx.Node, network: nn.Module) -> str:
    if node.op == "call_module":
        return type(network.get_submodule(str(node.target))).__name__
    return node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))


def _whole(name: str, outside: Sequence[fx.Node]) -> str:
    """Return the outermost module around one that runs nothing outside."""
    parts = name.split(".")
    around = (".".join(parts[:depth]) for depth in range(1, len(parts)))
    return next((outer for outer in around if not any(is_within(node, outer) for node in outside)), name)
