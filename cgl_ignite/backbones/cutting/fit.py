"""A network fitted to its data: a classifier for the number of classes, a first convolution for the channels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from torch import fx, nn

from cgl_ignite.errors import InputError, nearest

__all__ = ["find_classifier", "new_modules"]


def find_classifier(graph: fx.Graph, network: nn.Module, given: str | None) -> str:
    """Return the name of the linear layer, or 1 x 1 convolution, that makes the logits: the last with parameters.

    Raises:
        InputError: there is none, or the module ``given`` is not one.
    """
    names = dict(network.named_modules())
    if given is not None:
        if given not in names:
            fault = f"the network has no module {given!r}{nearest(given, names)}"
            raise InputError(fault, key="backbone.classifier")
        if not _classifies(names[given]):
            fault = f"{given!r} is a {type(names[given]).__name__}; it must be a linear layer or a 1 x 1 convolution"
            raise InputError(fault, key="backbone.classifier")
        return given
    found = _with_parameters(graph, network)
    if not found or not _classifies(names.get(found[-1])):
        last = f"the last operation with parameters is {found[-1]!r}" if found else "it has no parameters"
        raise InputError(
            f'no classifier is found in the network: {last}, which is no linear layer; name it: classifier = "head.fc"',
            key="backbone.classifier",
        )
    return found[-1]


def new_modules(
    graph: fx.Graph, network: nn.Module, classifier: str, classes: int, channels: int
) -> Mapping[str, Callable[[], nn.Module]]:
    """Return what has to be replaced: a classifier of other classes, a first convolution of other channels."""
    replaced: dict[str, Callable[[], nn.Module]] = {}
    last = network.get_submodule(classifier)
    answers = last.get_parameter("weight").shape[0]
    if (kind := type(last)) not in (nn.Linear, nn.Conv2d) and answers != classes:
        raise InputError(
            f"{classifier!r} is a {kind.__name__} of {answers} classes, which is not replaced; "
            f"make it of {classes} by backbone.options",
            key="backbone.classifier",
        )
    if isinstance(last, nn.Linear) and last.out_features != classes:
        replaced[classifier] = partial(nn.Linear, last.in_features, classes, bias=last.bias is not None)
    if isinstance(last, nn.Conv2d) and last.out_channels != classes:
        replaced[classifier] = partial(nn.Conv2d, last.in_channels, classes, 1, bias=last.bias is not None)
    names = _with_parameters(graph, network)
    first = network.get_submodule(names[0]) if names else None
    if isinstance(first, nn.Conv2d) and first.in_channels != channels and first.groups == 1:
        sizes = (channels, first.out_channels, first.kernel_size, first.stride, first.padding, first.dilation)
        more = {"bias": first.bias is not None, "padding_mode": first.padding_mode}
        replaced[names[0]] = partial(nn.Conv2d, *sizes, **more)  # type: ignore[arg-type]
    return replaced


def _classifies(module: nn.Module | None) -> bool:
    return isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1))


def _with_parameters(graph: fx.Graph, network: nn.Module) -> list[str]:
    """List what has parameters of its own, in the order in which it runs: modules, and the names of parameters."""
    parameters, found = dict(network.named_parameters(remove_duplicate=False)), []
    for node in graph.nodes:
        if node.op == "call_module":
            leaf = network.get_submodule(str(node.target))
            inner = [(name, part) for name, part in leaf.named_modules() if any(True for _ in part.parameters(False))]
            found += [f"{node.target}.{name}".rstrip(".") for name, _ in inner]
        found += [str(each.target) for each in node.all_input_nodes if each.target in parameters]
    return found
