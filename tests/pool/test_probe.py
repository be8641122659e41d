"""A layer that changes its input is found before it trains, wherever it stands and however it works in place."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cgl_ignite.backbones import BACKBONES
from cgl_ignite.errors import InputError
from cgl_ignite.pool import modular_layers
from cgl_ignite.pool.cost import measure_layers
from cgl_ignite.pool.probe import intact, refuse_changed_inputs
from cgl_ignite.spec import InputSpec
from tests.test_registered_parts import OPTIONS

SPEC = InputSpec("image", (4,))
TEXT = InputSpec("text", (64,), vocabulary=9)
PICTURE = InputSpec("image", (3, 32, 32))


class Layer(nn.Linear):
    """Does something to its input first."""

    def __init__(self, first) -> None:
        super().__init__(4, 4)
        self.first = first

    def forward(self, inputs):
        return super().forward(self.first(self, inputs))


def subtract(layer, inputs):
    inputs -= 0.5
    return inputs


def subtract_a_view(layer, inputs):
    inputs.view(-1)[0] -= 0.5
    return inputs


def subtract_unseen_by_autograd(layer, inputs):
    inputs.data -= 0.5
    return inputs


def subtract_when_evaluated(layer, inputs):
    return inputs if layer.training else subtract(layer, inputs)


WRONG = {
    "itself": lambda: Layer(subtract),
    "a view": lambda: Layer(subtract_a_view),
    "its data": lambda: Layer(subtract_unseen_by_autograd),
    "when evaluated": lambda: Layer(subtract_when_evaluated),
    "a ReLU": lambda: nn.Sequential(nn.ReLU(inplace=True), nn.Linear(4, 4)),
    "a ReLU behind a dropout": lambda: nn.Sequential(nn.Dropout(0.5), nn.ReLU(inplace=True), nn.Linear(4, 4)),
}
RIGHT = {
    "its own result": lambda: nn.Sequential(nn.Linear(4, 4), nn.ReLU(inplace=True)),
    "a dropout, which the pool replaces": lambda: nn.Sequential(nn.Dropout(0.5, inplace=True), nn.Linear(4, 4)),
    "no numbers": lambda: Layer(lambda layer, inputs: inputs / 0),
}


@pytest.mark.parametrize("look", [measure_layers, refuse_changed_inputs])
@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("wrong", WRONG)
def test_a_layer_that_changes_its_input_is_named(look, number: int, wrong: str) -> None:
    layers = [RIGHT["its own result"]] * 3
    layers[number] = WRONG[wrong]
    kind = type(WRONG[wrong]()).__name__
    with pytest.raises(InputError, match=rf"^backbone: layer {number}, counted from 0, a {kind}, changes its input"):
        look(layers, SPEC)


@pytest.mark.parametrize("look", [measure_layers, refuse_changed_inputs])
@pytest.mark.parametrize("right", RIGHT)
def test_other_layers_are_not(look, right: str) -> None:
    look([RIGHT[right]] * 2, SPEC)


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("numbers", [torch.float32, torch.int64, torch.bfloat16])
def test_changes_count_on_every_device(device: str, numbers: torch.dtype) -> None:
    inputs = torch.ones(2, 3, dtype=numbers, device=device)
    with intact(inputs, 0, nn.Identity()) as lent:
        lent + 1
    with pytest.raises(InputError, match="layer 5"), intact(inputs, 5, nn.Identity()) as lent:
        lent.add_(1)
    if device == "cpu":
        assert inputs.eq(1).all()


@pytest.mark.parametrize("kind", BACKBONES.kinds())
def test_registered_backbones_leave_their_inputs(kind: str) -> None:
    small = OPTIONS["backbone", kind]
    spec = TEXT if BACKBONES.facts(kind)["modality"] == "text" else PICTURE
    refuse_changed_inputs(modular_layers(BACKBONES.get(kind)(spec, 3, **small)), spec)
