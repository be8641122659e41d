"""The first steps of every optimizer, worked out by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from cgl_ignite.engine.optim import OPTIMIZERS, adam, adamw, layer_groups, parameter_groups, sgd
from cgl_ignite.handlers.schedule import FACTOR, LearningRate

RATE = 0.1
START, GRADIENT = [1.0, -2.0, 3.0], [0.5, -4.0, 0.0]


def steps(builder, count: int = 1, gradient: list[float] = GRADIENT, **options) -> list[float]:
    weight = nn.Parameter(torch.tensor(START, dtype=torch.float64))
    optimizer = builder([weight], RATE, **options)
    for _ in range(count):
        weight.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
    return weight.tolist()


def moved(*by: float) -> list[float]:
    return pytest.approx([start - step for start, step in zip(START, by, strict=True)], abs=1e-7)


def test_the_first_step_of_adam_has_the_length_of_the_rate() -> None:
    assert steps(adam) == moved(RATE, -RATE, 0)


def test_adam_after_two_steps_with_other_constants() -> None:
    """With constant gradients the bias-corrected moments are g and g², whatever the betas."""
    assert steps(adam, 2, betas=(0.5, 0.9)) == moved(2 * RATE, -2 * RATE, 0)
    expected = [RATE * g / (abs(g) + 0.5) for g in GRADIENT]
    assert steps(adam, eps=0.5) == moved(*expected)


def test_decay_is_part_of_the_gradient_of_adam() -> None:
    assert steps(adam, gradient=[0, 0, 0], weight_decay=0.1) == moved(RATE, -RATE, RATE)


def test_decay_of_adamw_is_apart_from_the_gradient() -> None:
    shrunk = [RATE * 0.2 * start for start in START]
    assert steps(adamw, gradient=[0, 0, 0], weight_decay=0.2) == moved(*shrunk)
    assert steps(adamw) == moved(RATE + RATE * 0.01 * 1, -RATE - RATE * 0.01 * 2, RATE * 0.01 * 3)


def test_sgd_gathers_momentum() -> None:
    assert steps(sgd, momentum=0.0) == moved(*(RATE * g for g in GRADIENT))
    assert steps(sgd, 2) == moved(*(RATE * (1 + 1.9) * g for g in GRADIENT))
    assert steps(sgd, nesterov=True) == moved(*(RATE * 1.9 * g for g in GRADIENT))
    assert steps(sgd, gradient=[0, 0, 0], weight_decay=0.5) == moved(*(RATE * 0.5 * start for start in START))


@pytest.mark.parametrize("kind", OPTIMIZERS.kinds())
def test_weights_of_idle_modules_stay(kind: str) -> None:
    used, idle = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    optimizer = OPTIMIZERS.get(kind)([used, idle], RATE)
    for _ in range(2):
        used.grad = torch.ones(2)
        optimizer.step()
    assert torch.equal(idle, torch.ones(2))
    assert not torch.equal(used, torch.ones(2))
    assert idle not in optimizer.state


@pytest.mark.parametrize("kind", OPTIMIZERS.kinds())
def test_kernels_are_fused(kind: str) -> None:
    assert OPTIMIZERS.get(kind)([nn.Parameter(torch.ones(2))], RATE).defaults["fused"]


def test_registered_kinds() -> None:
    assert {"adam", "adamw", "sgd"} <= set(OPTIMIZERS.kinds())


@pytest.mark.parametrize("kind", OPTIMIZERS.kinds())
def test_weights_may_start_to_learn_later_than_others(kind: str) -> None:
    early, late = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    optimizer = OPTIMIZERS.get(kind)([early, late], RATE)
    early.grad = torch.ones(2)
    optimizer.step()
    first = early.detach().clone()
    early.grad, late.grad = None, torch.ones(2)
    optimizer.step()
    torch.testing.assert_close(late.detach(), first)
    assert torch.equal(early.detach(), first)


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(5, 4)
        self.convolution = nn.Conv1d(4, 3, 1)
        self.norm = nn.BatchNorm1d(3)
        self.classifier = nn.Linear(3, 2)


def test_weights_decay_and_biases_normalisation_and_embeddings_do_not() -> None:
    network = Network()
    names = {parameter: name for name, parameter in network.named_parameters()}
    weights, others = parameter_groups([network], "weights")
    assert [names[parameter] for parameter in weights["params"]] == ["convolution.weight", "classifier.weight"]
    assert [names[parameter] for parameter in others["params"]] == [
        "tokens.weight", "convolution.bias", "norm.weight", "norm.bias", "classifier.bias",
    ]  # fmt: skip
    assert (weights.keys(), others["weight_decay"]) == ({"params"}, 0.0)


def test_all_parameters_decay_unless_the_user_says_otherwise() -> None:
    network = Network()
    assert list(parameter_groups([network, nn.Identity()], "all")) == list(network.parameters())


@pytest.mark.parametrize("kind", OPTIMIZERS.kinds())
def test_a_step_without_gradient_shrinks_what_decays_only(kind: str) -> None:
    network = Network()
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    optimizer = OPTIMIZERS.get(kind)(parameter_groups([network], "weights"), RATE, weight_decay=0.5)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    moved = {name for name, value in network.named_parameters() if not value.equal(before[name])}
    assert moved == {"convolution.weight", "classifier.weight"}


def test_a_group_without_parameters_is_left_out() -> None:
    (only,) = parameter_groups([nn.BatchNorm1d(3)], "weights")
    assert only["weight_decay"] == 0.0


def test_layers_learn_slower_the_earlier_they_are() -> None:
    layers, others = [nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2)], nn.Linear(3, 3)
    layers[0].requires_grad_(False)
    layers[2].weight.requires_grad_(False)
    groups = list(layer_groups(layers, others, "all", 0.5))
    assert [group[FACTOR] for group in groups] == [0.5, 1.0, 1.0]
    assert [[id(each) for each in group["params"]] for group in groups] == [
        [id(each) for each in layers[1].parameters()], [id(layers[2].bias)], [id(each) for each in others.parameters()],
    ]  # fmt: skip


def test_groups_of_layers_are_divided_by_what_decays() -> None:
    groups = list(layer_groups([nn.Linear(2, 2), nn.Linear(2, 2)], nn.Identity(), "weights", 0.5))
    found = [(group[FACTOR], group.get("weight_decay"), [each.dim() for each in group["params"]]) for group in groups]
    assert found == [(0.5, None, [2]), (0.5, 0.0, [1]), (1.0, None, [2]), (1.0, 0.0, [1])]


def test_equal_rates_need_no_groups() -> None:
    layers = [nn.Linear(2, 2), nn.Linear(2, 2)]
    expected = [parameter for layer in layers for parameter in layer.parameters()]
    assert list(layer_groups(layers, nn.Identity(), "all", 1.0)) == expected


@pytest.mark.parametrize("kind", OPTIMIZERS.kinds())
def test_a_group_steps_by_its_factor_of_the_rate(kind: str) -> None:
    layers = [nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)]
    optimizer = OPTIMIZERS.get(kind)(layer_groups(layers, nn.Identity(), "all", 0.25), RATE)
    rates = LearningRate(optimizer, 0.1, lambda epoch: 0.5)
    rates(SimpleNamespace(state=SimpleNamespace(iteration=1, epoch_length=4)))
    for layer in layers:
        nn.init.zeros_(layer.weight)
        layer.weight.grad = torch.ones_like(layer.weight)
    optimizer.step()
    assert [group["lr"] for group in optimizer.param_groups] == [0.0125, 0.05]
    assert layers[0].weight.item() == pytest.approx(0.25 * layers[1].weight.item())
