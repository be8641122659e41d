from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import Tensor

from cgl_ignite.pool import PoolOutput
from cgl_ignite.pool.nodes import Nodes, padded
from cgl_ignite.pool.plan import Plan, RouteTable, Unit, plan_forward

ROWS = torch.arange(12.0).view(6, 2)


@pytest.fixture
def nodes() -> Nodes:
    """Node 0 by itself with six rows, then nodes 1, 2, 3 of one call with one, three and two of them."""
    made = Nodes([ROWS])
    made.add(1, ROWS * 10, (1, 3, 2))
    return made


def test_nodes_of_a_call_are_its_rows_one_after_the_other(nodes: Nodes) -> None:
    assert len(nodes) == 4
    assert [nodes[node].tolist() for node in (1, 2, 3)] == [
        [[0, 10]], [[20, 30], [40, 50], [60, 70]], [[80, 90], [100, 110]],
    ]  # fmt: skip


def test_the_nodes_of_one_call_are_joined_already(nodes: Nodes) -> None:
    assert nodes.join((1, 2, 3)).data_ptr() == nodes.join((1, 2, 3)).data_ptr()
    assert torch.equal(nodes.join((1, 2, 3)), ROWS * 10)


def test_any_other_nodes_are_joined_in_the_order_asked_for(nodes: Nodes) -> None:
    assert torch.equal(nodes.join((3, 1)), torch.cat([nodes[3], nodes[1]]))
    assert torch.equal(nodes.join((2,)), nodes[2])


def test_sizes_are_known_before_a_call_is_taken_apart(nodes: Nodes) -> None:
    asked = [nodes.bytes_of(node) for node in range(4)]
    assert asked == [48, 8, 24, 16]
    assert asked == [nodes[node].nbytes for node in range(4)]


def branches(group_of: list[int]) -> tuple[RouteTable, list[Unit]]:
    """A layer that all students share, then a module of each; student k learns from batch ``group_of[k]``."""
    table = RouteTable([[0, k] for k in range(len(group_of))], [[0, k] for k in range(len(group_of))])
    return table, [Unit(k, batch, own=True, gradient=True) for k, batch in enumerate(group_of)]


def divide_gradients(values: Nodes, plan: Plan) -> None:
    for node, readers in Counter(source for call in plan.layers[1] for source in call.sources).items():
        values.divide_gradient(node, readers)


def trunk_gradients(group_of: list[int], divide: bool) -> list[list[float]]:
    """Gradient of the trunk's nodes when each branch multiplies by its own number, from 1."""
    table, units = branches(group_of)
    plan = plan_forward(table, units, training=True)
    values = Nodes()
    trunk = torch.ones(1 + max(group_of), 1, requires_grad=True)
    values.add(0, trunk, (1,) * (1 + max(group_of)))
    if divide:
        divide_gradients(values, plan)
    sum((values.join(call.sources) * (call.module + 1)).sum() for call in plan.layers[1]).backward()
    return trunk.grad.tolist()


def test_a_node_with_several_readers_gets_the_mean_of_their_gradients() -> None:
    assert trunk_gradients([0, 0, 0], divide=False) == [[6]]
    assert trunk_gradients([0, 0, 0], divide=True) == [[2]]


def test_readers_are_counted_for_each_batch_by_itself() -> None:
    assert trunk_gradients([0, 1, 0, 1, 2], divide=False) == [[4], [6], [5]]
    assert trunk_gradients([0, 1, 0, 1, 2], divide=True) == [[2], [3], [5]]


def test_dividing_changes_no_value() -> None:
    table, units = branches([0, 0])
    values = Nodes([ROWS.clone().requires_grad_()])
    divide_gradients(values, plan_forward(table, units, training=True))
    assert torch.equal(values[0], ROWS)


def test_where_no_gradient_flows_there_is_none_to_divide() -> None:
    table, units = branches([0, 0])
    values = Nodes([ROWS])
    divide_gradients(values, plan_forward(table, units, training=True))
    assert values[0] is ROWS


def output(values: Tensor) -> PoolOutput:
    """Two students on two batches of two rows; the trunk multiplies by 2, branch k by k + 1."""
    table = RouteTable([[0, 0], [0, 1]], [[0, 0], [0, 1]])
    units = [Unit(k, batch, own=True, gradient=True) for k in (0, 1) for batch in (0, 1)]
    plan = plan_forward(table, units, training=True)
    trunk = Nodes()
    trunk.add(0, 2 * values, (2, 2))
    logits = Nodes()
    for call in plan.layers[1]:
        logits.add(call.first, trunk.join(call.sources) * (call.module + 1), (2,) * len(call.sources))
    return PoolOutput(plan, logits, trunk, (trunk, plan.layers[0]))


def test_what_a_pool_leaves() -> None:
    values = torch.arange(4.0).view(4, 1)
    left = output(values)
    assert [node.flatten().tolist() for node in left.logits] == [[0, 2], [4, 6], [0, 4], [8, 12]]
    assert [left.features(node).flatten().tolist() for node in range(4)] == [[0, 2], [4, 6]] * 2
    assert [left.trunk(batch).flatten().tolist() for batch in (0, 1)] == [[0, 2], [4, 6]]


def test_what_a_pool_does_not_leave() -> None:
    left = output(torch.zeros(4, 1))
    with pytest.raises(IndexError, match="no output node 4"):
        left.features(4)
    with pytest.raises(IndexError, match="no trunk has seen batch 2"):
        left.trunk(2)


def test_shorter_rows_are_filled_up_with_zeros() -> None:
    assert padded([torch.ones(1, 2), 2 * torch.ones(2, 2)]).tolist() == [[[1, 1], [0, 0]], [[2, 2], [2, 2]]]
