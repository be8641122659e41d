"""Weights divided among the layers of a backbone, if they are those of such a network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cgl_ignite.backbones.base import Backbone, is_part
from cgl_ignite.errors import InputError
from cgl_ignite.pretrained.files import KEY, Weights

__all__ = ["Fitted", "fit"]

State = Mapping[str, Tensor]

_COUNTER = "num_batches_tracked"
_CONSTANT = "_tensor_constant"
_NAMED = 3


@dataclass(frozen=True, eq=False)
class Fitted:
    """The weights of each layer and of the classifier, by the names that they have there.

    ``classifier``: whether the classifier begins with its weights too; otherwise it is new.
    """

    states: tuple[State, ...]
    classifier: bool


def fit(backbone: Backbone, weights: Weights, classes: Sequence[str] | int) -> Fitted:
    """Divide weights among the layers of a backbone.

    All of the network has to be there in its shapes, but for the classifier: it begins with its weights if it has as
    many classes, and those of an earlier student are the same in the same order, if their names are known.

    Args:
        backbone: built for the data.
        weights: of the whole network, or of an earlier student.
        classes: of the data, or their number.

    Raises:
        InputError: weights of another network: missing, unexpected, or of another shape.
    """
    with torch.random.fork_rng(devices=[]):
        own = [builder().state_dict() for builder in (*backbone.layers, backbone.classifier)]
    whole = backbone.whole
    states: list[State]
    expected: State
    if whole is None or weights.card is not None:
        head, numbered = (str(len(own) - 1), True) if whole is None else (whole.classifier, False)
        given = _without_prefix(weights.tensors) if numbered else _without_numbers(weights.tensors)
        names = [{name: f"{number}.{name}" if numbered else name for name in state} for number, state in enumerate(own)]
        expected = {names[number][name]: value for number, state in enumerate(own) for name, value in state.items()}
        _check(weights, expected, given, head)
        states = [{name: given[full] for name, full in layer.items() if full in given} for layer in names]
    else:
        expected = whole.weights()
        _check(weights, expected, weights.tensors, whole.classifier)
        kept = {name: weights.tensors[name] for name in expected if name in weights.tensors}
        states = list(whole.layers(kept))
        head, numbered = whole.classifier, False
    return _with_classifier(own, states, "" if numbered else head, _same_classes(weights, classes))


def _with_classifier(own: Sequence[State], states: Sequence[State], head: str, same: bool) -> Fitted:
    """Leave the classifier out where its weights are not all there, in its shapes; ``head`` names it in its layer."""
    needed = {name: value for name, value in own[-1].items() if not head or is_part(name, head)}
    last = states[-1]
    fits = same and all(name in last and last[name].shape == value.shape for name, value in needed.items())
    if not fits:
        last = {name: value for name, value in last.items() if name not in needed}
    return Fitted((*states[:-1], last), fits)


def _same_classes(weights: Weights, classes: Sequence[str] | int) -> bool:
    if weights.card is None:
        return True
    known = weights.card.classes
    return len(known) == classes if isinstance(classes, int) else tuple(known) == tuple(classes)


def _check(weights: Weights, expected: State, given: State, head: str) -> None:
    body = {name: value for name, value in expected.items() if not is_part(name, head)}
    missing = [name for name in body if name not in given and not name.endswith(_COUNTER) and _CONSTANT not in name]
    unknown = [name for name in given if name not in expected and not is_part(name, head) and _CONSTANT not in name]
    other = [
        f"{name}: {_form(given[name])}, not {_form(value)}"
        for name, value in body.items()
        if name in given and given[name].shape != value.shape
    ]
    faults = list(_faults({"missing": missing, "unexpected": unknown, "of another shape": other}))
    if faults:
        theirs = f", a student of the backbone {weights.card.backbone.kind!r}" if weights.card else ""
        raise InputError(
            f"{weights.title}{theirs}: its weights are not those of this network: {'; '.join(faults)}", key=KEY
        )


def _faults(found: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for what, names in found.items():
        if names:
            more = ", ..." if len(names) > _NAMED else ""
            yield f"{len(names)} {what} ({', '.join(names[:_NAMED])}{more})"


def _form(value: Tensor) -> str:
    return " x ".join(map(str, value.shape)) or "one value"


def _without_prefix(tensors: State) -> State:
    return {name.removeprefix("network."): value for name, value in tensors.items()}


def _without_numbers(tensors: State) -> State:
    """Leave out the number of the layer, as the same network may be cut elsewhere."""
    return {name.partition(".")[2]: value for name, value in tensors.items()}
