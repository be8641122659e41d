"""Frozen layers: trained weights that do not learn, and run in a pool as in evaluation."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from cgl_ignite.backbones import FrozenBuilder
from cgl_ignite.pool import ModularNetwork, Unit, extract_student, plan_forward
from cgl_ignite.pool.cost import measure_layers, plan_cost
from cgl_ignite.spec import InputSpec

SPEC = InputSpec("image", (3, 4, 4))
WIDTH = 5


def convolution(channels: int) -> nn.Module:
    block = nn.Sequential(nn.Conv2d(channels, WIDTH, 3, padding=1), nn.BatchNorm2d(WIDTH), nn.Dropout(0.5))
    norm = block[1]
    assert isinstance(norm, nn.BatchNorm2d)
    norm.running_mean = torch.arange(WIDTH).float()
    return block


def classifier() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(WIDTH * 16, 2))


def layers(frozen: int) -> list[Callable[[], nn.Module]]:
    plain: list[Callable[[], nn.Module]] = [lambda: convolution(3), lambda: convolution(WIDTH), classifier]
    return [FrozenBuilder(each) if number < frozen else each for number, each in enumerate(plain)]


@pytest.fixture
def pool() -> ModularNetwork:
    """Return a pool of two students whose first layer is frozen."""
    network = ModularNetwork(layers(1), [1, 2, 2], seed=1)
    network.route(torch.tensor([[0, 0, 0], [0, 1, 1]]), [0, 1])
    return network


def trained(pool: ModularNetwork) -> list[Tensor]:
    """Run each student on its own batch and, to be imitated, on the other; go back; return the logits."""
    batches = [torch.randn(6, 3, 4, 4, generator=torch.Generator().manual_seed(seed)) for seed in range(2)]
    units = [Unit(student, batch, own=student == batch, gradient=True) for student in range(2) for batch in range(2)]
    plan = plan_forward(pool.routes, units, training=True)
    output = pool.train()(batches, plan, iteration=3)
    logits = [output.logits[plan.outputs[unit.student, unit.batch]] for unit in units]
    torch.stack([each.sum() for each in logits]).sum().backward()
    return logits


def test_a_frozen_layer_gets_no_gradient_and_keeps_its_statistics(pool: ModularNetwork) -> None:
    before = {name: value.clone() for name, value in pool.state_dict().items()}
    trained(pool)
    for name, parameter in pool.named_parameters():
        assert (parameter.grad is None) == name.startswith("layers.0."), name
    moved = {name for name, value in pool.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {f"layers.1.{module}.1.running_{what}" for module in range(2) for what in ("mean", "var")}


def test_a_frozen_layer_runs_as_in_evaluation(pool: ModularNetwork) -> None:
    frozen = layers(0)[0]().eval()
    frozen.load_state_dict(pool.layers[0][0].state_dict())
    inputs = torch.randn(6, 3, 4, 4)
    pool.train()
    assert torch.equal(pool.layers[0][0](inputs), frozen(inputs))
    assert pool.layers[1][0].training


def test_a_student_that_leaves_can_be_trained(pool: ModularNetwork) -> None:
    alone = extract_student(pool, 1)
    assert all(parameter.requires_grad for parameter in alone.parameters())
    norm = alone.get_submodule("0.1")
    assert norm.get_buffer("running_mean").tolist() == list(range(WIDTH))


def test_statistics_that_were_loaded_are_those_of_every_student(pool: ModularNetwork) -> None:
    pool.route(torch.tensor([[0, 0, 0], [0, 0, 0], [0, 1, 1]]), [0, 1, 2])
    rows = pool.get_buffer("layers.1.0.1.running_mean")
    assert rows.tolist() == [list(range(WIDTH))] * 3


def test_students_share_the_statistics_of_frozen_layers(pool: ModularNetwork) -> None:
    assert [row[0] for row in pool.routes.slots] == [0, 0]
    assert len({row[1] for row in pool.routes.slots}) == 2


@pytest.mark.parametrize("frozen", [0, 1, 2])
def test_frozen_layers_cost_no_backward_pass_and_keep_nothing(frozen: int) -> None:
    plain, costs = measure_layers(layers(0), SPEC), measure_layers(layers(frozen), SPEC)
    forward = [3 * WIDTH * 9 * 16, WIDTH * WIDTH * 9 * 16, WIDTH * 16 * 2]
    assert [cost.forward for cost in costs] == forward
    assert [cost.frozen for cost in costs] == [number < frozen for number in range(3)]
    assert [cost.trained for cost in costs] == [0 if cost.frozen else cost.parameters for cost in costs]
    for number, (cost, before) in enumerate(zip(costs, plain, strict=True)):
        if number < frozen:
            assert (cost.backward, cost.kept, cost.statistics) == (0, 0, False)
        elif number == frozen:
            assert cost.backward == forward[number]  # of its weights alone: what it reads needs no gradient
        else:
            assert cost.backward == before.backward == 2 * forward[number]


def test_a_plan_costs_what_its_frozen_layers_leave(pool: ModularNetwork) -> None:
    plan = plan_forward(pool.routes, [Unit(0, 0, own=True, gradient=True)], training=True)
    cost = plan_cost(plan, measure_layers(layers(1), SPEC), [6])
    first, second, last = 3 * WIDTH * 9 * 16, WIDTH * WIDTH * 9 * 16, WIDTH * 16 * 2
    assert cost.multiply_adds == 6 * (first + 2 * second + 3 * last)
