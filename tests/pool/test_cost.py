"""Predicted costs against known figures and against what a pass really computes and keeps."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

from cgl_ignite.backbones.resnet import resnet8, resnet18, resnet34
from cgl_ignite.imitation import imitation_units
from cgl_ignite.imitation.choose import others
from cgl_ignite.pool import ModularNetwork, Plan, RouteTable, modular_layers, plan_forward
from cgl_ignite.pool.cost import LayerCost, measure_layers, plan_cost
from cgl_ignite.pool.routing import branched, disjoint, random
from cgl_ignite.seeding import stream
from cgl_ignite.spec import InputSpec

COLOUR = InputSpec("image", (3, 32, 32))
STEM = 3 * 64 * 9 * 32 * 32
LAYERS = [LayerCost(parameters=1, forward=10, backward=20, kept=4), LayerCost(2, 100, 200, 40)]


def plan_of(table: RouteTable, group_of, imitated, gradient: bool = True) -> Plan:
    units = imitation_units(range(max(group_of) + 1), group_of, imitated, gradient=gradient)
    return plan_forward(table, units, training=True)


def test_multiply_adds_of_resnet18() -> None:
    costs = measure_layers(modular_layers(resnet18(COLOUR, 10)), COLOUR)
    forward, backward = (sum(getattr(cost, way) for cost in costs) for way in ("forward", "backward"))
    assert forward == 555_422_720
    assert backward == 2 * forward - STEM
    assert costs[0].forward == costs[0].backward == STEM
    assert sum(cost.parameters for cost in costs) == 11_173_962
    assert len(costs) == 10


@pytest.mark.parametrize("builder", [resnet8, resnet18, resnet34])
def test_the_classifier_is_measured_by_itself(builder) -> None:
    costs = measure_layers(modular_layers(builder(COLOUR, 100, width=2)), COLOUR)
    assert costs[-1].forward == costs[-1].parameters - 100
    assert costs[-1].output == (100,)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("students", [1, 4])
@pytest.mark.parametrize(("builder", "width"), [(resnet8, 4), (resnet8, 16), (resnet18, 16)])
def test_bytes_kept_are_those_a_pass_through_the_pool_keeps(
    builder, width: int, students: int, precision: torch.dtype
) -> None:
    """Where nodes run one by one, less is kept: the output of a layer is also the input of the next."""
    layers = modular_layers(builder(COLOUR, 10, width=width))
    routing = random(students, [1] * len(layers), modules=2)
    pool = ModularNetwork(layers, routing.modules, 1, precision)
    pool.route(routing.sample(stream(1, "paths")), range(students))
    everyone = others(students).draw(stream(1, "sub-groups")).tolist()
    plan = plan_of(pool.routes, range(students), everyone)
    weights = {parameter.untyped_storage().data_ptr() for parameter in pool.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in weights:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        output = pool.train()([torch.randn(8, 3, 32, 32) for _ in range(students)], plan).logits
    predicted = plan_cost(plan, measure_layers(layers, COLOUR, precision), [8] * students).kept
    assert output[0].requires_grad
    assert predicted == pytest.approx(sum(kept.values()), rel=0.3)


def test_what_two_layers_share_is_kept_once() -> None:
    """A ReLU keeps its result, which a linear layer behind it keeps as its input; a linear layer keeps no result."""
    spec, last = InputSpec("image", (4,)), lambda: nn.Linear(4, 2)
    activated = measure_layers([lambda: nn.Sequential(nn.Linear(4, 4), nn.ReLU()), last], spec)
    linear = measure_layers([lambda: nn.Linear(4, 4), last], spec)
    assert [cost.kept for cost in activated] == [2 * 4 * 4, 0]
    assert [cost.kept for cost in linear] == [4 * 4, 4 * 4]


def test_a_first_layer_without_parameters_costs_nothing() -> None:
    flat, linear = measure_layers([nn.Flatten, lambda: nn.Linear(12, 5)], InputSpec("image", (3, 2, 2)))
    assert (flat.parameters, flat.forward, flat.backward, flat.output) == (0, 0, 0, (12,))
    assert (linear.parameters, linear.forward, linear.output) == (65, 60, (5,))


def test_the_widest_layer_counts_all_nodes_or_one_that_runs_alone() -> None:
    table = RouteTable([[0, 0], [0, 1]], [[0, 0], [0, 1]])
    plan = plan_of(table, [0, 1], [[False] * 2] * 2)
    narrow, wide = (replace(LAYERS[0], output=(width,)) for width in (10, 20))
    assert plan_cost(plan, [wide, narrow], [3, 5]).widest == 8 * 20 * 4
    large = replace(LAYERS[0], output=(2**18,))
    assert plan_cost(plan, [large, narrow], [3, 5]).widest == 5 * 2**18 * 4


def test_measuring_draws_nothing_from_the_global_generator() -> None:
    before = torch.get_rng_state()
    measure_layers(modular_layers(resnet8(COLOUR, 10, width=2)), COLOUR)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("students", [1, 3, 8])
def test_students_that_share_nothing_cost_what_each_costs_alone(students: int) -> None:
    paths = disjoint(students, [1] * 2).sample(torch.Generator()).tolist()
    plan = plan_of(RouteTable(paths, paths), range(students), [[False] * students] * students)
    cost = plan_cost(plan, LAYERS, [5] * students)
    assert cost.multiply_adds == students * 5 * (10 + 20 + 100 + 200)
    assert cost.kept == students * 5 * 44
    assert cost.runs == students * 2


def test_sharing_modules_alone_saves_no_work() -> None:
    """Students on one path but on different batches still run each for itself."""
    plan = plan_of(RouteTable([[0, 0], [0, 0]], [[0, 0], [1, 1]]), [0, 1], [[False, False], [False, False]])
    cost = plan_cost(plan, LAYERS, [5, 3])
    assert cost.multiply_adds == (5 + 3) * 330
    assert cost.runs == 4


def test_a_shared_trunk_is_paid_once() -> None:
    paths = branched(3, [1] * 2, at=1).sample(torch.Generator()).tolist()
    cost = plan_cost(plan_of(RouteTable(paths, paths), [0] * 3, [[False] * 3] * 3), LAYERS, [4])
    assert cost.multiply_adds == 4 * (30 + 3 * 300)
    assert cost.kept == 4 * (4 + 3 * 40)
    assert cost.runs == 4


@pytest.mark.parametrize(("gradient", "work", "kept"), [(True, 330, 44), (False, 110, 0)])
def test_an_imitated_student_costs_its_pass_on_the_batch_of_the_imitator(gradient: bool, work: int, kept: int) -> None:
    plan = plan_of(RouteTable([[0, 0], [1, 1]], [[0, 0], [1, 1]]), [0, 1], [[False, True], [False, False]], gradient)
    cost = plan_cost(plan, LAYERS, [6, 0])
    assert cost.multiply_adds == 6 * (330 + work)
    assert cost.kept == 6 * (44 + kept)
