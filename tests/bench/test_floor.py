from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from cgl_ignite.bench import floor
from cgl_ignite.bench.floor import floor_of, measure_floor
from cgl_ignite.bench.layers import LoneLayer, Seconds
from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.pool import RouteTable, Unit, plan_forward
from cgl_ignite.pool.cost import LayerCost

DIGITS = Path(__file__).resolve().parents[2] / "pipelines" / "digits_resnet.toml"
COST = LayerCost(parameters=1, forward=7, backward=14, kept=1, output=(1,))


def test_rows_of_shared_prefixes_count_once_and_backward_only_where_it_runs() -> None:
    """Students 0 and 1 share layer 0: on batch 0, where 1 is only looked at, they are one node there."""
    routes = RouteTable([(0, 0), (0, 1), (1, 1)], [(0, 0)] * 3)
    own = [Unit(student, student, own=True, gradient=True) for student in range(3)]
    plan = plan_forward(routes, [*own, Unit(1, 0, own=False, gradient=False)], training=True)
    first, second = Seconds(forward=1, both=10), Seconds(forward=100, both=1000)
    assert floor_of(plan, (2, 3, 5), [first, second]) == (2 + 3 + 5) * 10 + 2 * 100 + (2 + 3 + 5) * 1000


def test_the_floor_of_one_student_is_the_sum_of_its_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    def layers(builders, costs, inputs, batch_size, precision, clock):
        assert batch_size == inputs.shape[0] == 16
        for number, cost in enumerate(costs):
            seconds = Seconds(forward=0.0, both=1e-3 * (number + 1))
            yield SimpleNamespace(cost=cost, rows={False: 16, True: 32}, time=lambda clock, own=seconds: own)

    monkeypatch.setattr(floor, "lone_layers", layers)
    monkeypatch.setattr(floor, "_row", lambda layer, times: len(times))
    found = measure_floor(load_pipeline(DIGITS, ["method.preset=baseline"]), 3, "cpu")
    assert found["rounds"]["arithmetic floor"] == [pytest.approx(16 * (1 + 2 + 3 + 4 + 5))] * 3
    assert found["layers"] == [3] * 5
    assert found["saved_by_sharing"] == 0
    milliseconds = found["milliseconds"]["planned pass"]["median"]
    assert found["pass_over_floor"]["median"] == pytest.approx(milliseconds / 240)


def test_everything_of_a_group_is_measured() -> None:
    found = measure_floor(load_pipeline(DIGITS, ["method.students=3", "optim.batch_size=4"]), 2, "wall")
    assert found["pass_over_floor"]["low"] > 0
    assert found["multiply_adds"]["planned pass"] <= found["multiply_adds"]["without sharing"]
    assert [layer["output"] for layer in found["layers"]] == [[16, 8, 8], [16, 8, 8], [32, 4, 4], [64, 2, 2], [10]]
    for layer in found["layers"]:
        assert set(layer["rows"].values()) <= {4, 8, 16, 32, 64}
        rate = layer["multiply_adds"]["both"] / layer["microseconds_per_row"]["both"] * 1e6
        assert layer["multiply_adds_per_second"]["both"] == pytest.approx(rate)


class Clocked(nn.Module):
    """A layer that takes a known time for each number of rows."""

    def __init__(self, seconds: dict[int, float]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.seconds = seconds
        self.now = 0.0

    def forward(self, inputs: Tensor) -> Tensor:
        self.now += self.seconds[len(inputs)]
        return inputs * self.weight


def test_a_layer_is_timed_at_the_batch_size_where_a_row_is_cheapest() -> None:
    module = Clocked({4: 0.004, 8: 0.006, 16: 0.1})
    layer = LoneLayer(module, torch.zeros(16, 1), COST, torch.float32, first=False)
    layer.search(4, lambda: module.now)
    assert layer.rows == {False: 8, True: 8}
    assert layer.time(lambda: module.now) == Seconds(pytest.approx(0.006 / 8), pytest.approx(0.006 / 8))
    assert len(layer.inputs) == 8


def test_the_search_ends_where_a_run_takes_too_long() -> None:
    module = Clocked({4: 0.6})
    layer = LoneLayer(module, torch.zeros(16, 1), COST, torch.float32, first=True)
    layer.search(4, lambda: module.now)
    assert layer.rows == {False: 4, True: 4}
