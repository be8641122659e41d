"""In which order calls run, and what is freed on the way."""

from __future__ import annotations

import gc
import math
import weakref

import pytest
import torch
from torch import Tensor

from cgl_ignite.pool import Plan, RouteTable, Unit, plan_forward
from cgl_ignite.pool.plan import Call
from cgl_ignite.pool.traversal import Traversal

TABLE = RouteTable([[0, 0, 0], [0, 1, 1], [1, 1, 0]], [[0, 0, 0], [1, 1, 1], [2, 2, 2]])
"""Students 0 and 1 share the first module; 1 and 2 the second module, 0 and 2 the last, on data of their own."""

UNITS = [Unit(student, batch, own=student == batch, gradient=True) for batch in (0, 1) for student in range(3)]
ROWS = [torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0]])]


def factor(layer: int, module: int) -> int:
    return 10**layer * (module + 2)


class Recorder:
    """Runs a plan whose modules multiply, and notes what runs when."""

    def __init__(self) -> None:
        self.ran: list[tuple[int, int, tuple[int, ...]]] = []
        self.made: list[weakref.ref[Tensor]] = []
        self.alive: list[int] = []

    def run(self, layer: int, call: Call, inputs: Tensor) -> Tensor:
        self.ran.append((layer, call.module, call.sources))
        result = inputs * factor(layer, call.module)
        self.made.append(weakref.ref(result))
        self.alive.append(sum(made() is not None for made in self.made))
        return result

    def pass_through(self, plan: Plan, large: float) -> list[Tensor]:
        values = Traversal(plan, ROWS, self.run, large, divide=False, kept=())()
        gc.collect()
        return [values[-1][node] for node in range(len(values[-1]))]


PLAN = plan_forward(TABLE, UNITS, training=True)


@pytest.mark.parametrize("large", [0, 5, 9, math.inf])
def test_every_unit_goes_along_its_path_whatever_is_large(large: float) -> None:
    outputs = Recorder().pass_through(PLAN, large)
    for (student, batch), node in PLAN.outputs.items():
        product = math.prod(factor(layer, module) for layer, module in enumerate(TABLE.paths[student]))
        assert torch.equal(outputs[node], ROWS[batch] * product)


def test_small_nodes_run_layer_by_layer() -> None:
    recorder = Recorder()
    recorder.pass_through(PLAN, math.inf)
    ran = [(layer, module) for layer, module, _ in recorder.ran]
    assert ran == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]
    assert sum(len(sources) for _, _, sources in recorder.ran) == 2 * (2 + 3 + 3)


def test_a_large_node_goes_on_alone_to_the_end_of_its_path() -> None:
    recorder = Recorder()
    recorder.pass_through(PLAN, 0)
    assert {len(sources) for _, _, sources in recorder.ran} == {1}
    layers = [layer for layer, _, _ in recorder.ran]
    assert layers == [0, 1, 2, 1, 2, 0, 1, 2] * 2
    assert len(recorder.ran) == len(set(recorder.ran))


def test_activations_are_freed_after_their_last_use() -> None:
    """Eight calls lead through a batch: six outputs in the end, and on the way only what is still to be read."""
    with torch.no_grad():
        recorder = Recorder()
        outputs = recorder.pass_through(PLAN, 0)
        assert sum(made() is not None for made in recorder.made) == len(outputs) == 6
        assert recorder.alive[:8] == [1, 2, 3, 3, 3, 3, 4, 4]
        together = Recorder()
        outputs = together.pass_through(PLAN, math.inf)
        assert sum(made() is not None for made in together.made) == 2


def test_layers_that_are_looked_at_are_kept() -> None:
    with torch.no_grad():
        values = Traversal(PLAN, ROWS, Recorder().run, 0, divide=False, kept=(2,))()
    assert {values[2][node].shape[1] for node in range(len(values[2]))} == {1}
    with pytest.raises(KeyError):
        values[1][0]
