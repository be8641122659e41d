"""How much of their start running statistics hold when a training ends, against a plain layer that was trained."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

from cgl_ignite.pool import RouteTable
from cgl_ignite.pool.cost import measure_layers
from cgl_ignite.pool.settling import SETTLED, unsettled
from cgl_ignite.spec import InputSpec

SPEC = InputSpec("image", (2, 4, 4))


def layers(momentum: float) -> list[partial[nn.Module]]:
    def block(channels: int, momentum: float) -> nn.Module:
        return nn.Sequential(nn.Conv2d(channels, 2, 1), nn.BatchNorm2d(2, momentum=momentum))

    head = partial(nn.Sequential, nn.Flatten(), nn.Linear(32, 3))
    return [partial(block, 2, 0.1), partial(block, 2, momentum), head]


def alone(layer_count: int = 3) -> RouteTable:
    return RouteTable.of([[0] * layer_count], [0], [True, True, False])


def test_the_share_of_the_start_is_that_of_a_plain_layer() -> None:
    costs = measure_layers(layers(0.01), SPEC)
    assert [cost.slowest for cost in costs] == [("1", 0.1), ("1", 0.01), None]
    found = unsettled(costs, alone(), [0], iterations=162)
    assert found is not None
    assert (found.layer, found.norm, found.momentum, found.updates) == (1, "1", 0.01, 162)
    norm = nn.BatchNorm2d(2, momentum=0.01)
    for _ in range(162):
        norm(torch.zeros(3, 2, 4, 4))  # its variance is 0, so what is left of 1 is the start
    assert norm.running_var[0].item() == pytest.approx(found.share, rel=1e-4)
    assert "'1' of layer 1 has momentum 0.01: after the 162 updates of this training, 20% of" in str(found)
    assert "set backbone.momentum = 0.1, or train longer" in str(found)


@pytest.mark.parametrize(("iterations", "momentum"), [(20, 0.14), (28, 0.11), (29, 0.1), (200, 0.1)])
def test_what_is_advised_suffices(iterations: int, momentum: float) -> None:
    found = unsettled(measure_layers(layers(0.001), SPEC), alone(), [0], iterations)
    assert found is not None
    assert found.remedy == momentum
    assert (1 - momentum) ** iterations <= SETTLED


@pytest.mark.parametrize(("momentum", "iterations"), [(0.05, 59), (0.01, 299)])
def test_enough_updates_are_not_worth_a_word(momentum: float, iterations: int) -> None:
    costs = measure_layers(layers(momentum), SPEC)
    assert unsettled(costs, alone(), [0], iterations) is None
    assert unsettled(costs, alone(), [0], iterations - 1) is not None


def test_the_usual_momentum_is_not_worth_a_word() -> None:
    assert unsettled(measure_layers(layers(0.1), SPEC), alone(), [0], iterations=1) is None


def test_students_of_other_data_move_shared_statistics_too() -> None:
    """Two groups of data move the one row of a module twice in an iteration; rows of their own move once."""
    costs, paths = measure_layers(layers(0.01), SPEC), [[0, 0, 0], [0, 0, 0]]
    keeps = [cost.statistics for cost in costs]
    updates = {}
    for statistics in ("student", "shared"):
        found = unsettled(costs, RouteTable.of(paths, [0, 1], keeps, statistics), [0, 1], iterations=50)
        assert found is not None
        updates[statistics] = found.updates
    assert updates == {"student": 50, "shared": 100}


def test_layers_without_batch_normalisation_have_nothing_to_settle() -> None:
    costs = measure_layers([partial(nn.Sequential, nn.Flatten(), nn.Linear(32, 3))], SPEC)
    assert unsettled(costs, RouteTable.of([[0]], [0], [False]), [0], iterations=1) is None
