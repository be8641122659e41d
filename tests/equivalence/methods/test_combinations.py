"""Learned weights under any routing, and the paper's ablations (Table 4): edits of one cell."""

from __future__ import annotations

import pytest
import torch
from ignite.engine import Engine

from cgl_ignite.data import Batch
from cgl_ignite.errors import ConfigError, InputError
from tests.equivalence.methods.package import World, build

ATTENTION = 'method.weigh={kind="attention"}'
BY_STUDENT = 'method.weigh={kind="gate", reads="student"}'
BY_TRUNK = 'method.weigh={kind="gate"}'
SHARED_STEM = 'method.routing={kind="random", shared=[0]}'

LEARNED = [
    ("image", [ATTENTION]),
    ("image", [BY_STUDENT]),
    ("image", [BY_TRUNK, SHARED_STEM]),
    ("text", [ATTENTION]),
    ("text", [BY_STUDENT]),
    ("text", [BY_TRUNK]),
]


def own_batches(world: World, count: int) -> list[Batch]:
    """Take the run's own batches, in float64."""
    stream = world.parts.batches.stream(0)
    drawn = (next(stream) for _ in range(count))
    exact = {torch.float32: torch.float64, torch.int64: torch.int64}
    return [Batch(batch.inputs.to(exact[batch.inputs.dtype]), batch.targets, batch.sizes) for batch in drawn]


def watched(world: World, batches: list[Batch]) -> list[torch.Tensor]:
    """Train, and return who imitated whom."""
    tables: list[torch.Tensor] = []

    def watch(engine: Engine) -> None:
        tables.append(engine.state.imitated)
        assert engine.state.output.ce.isfinite().all()
        assert engine.state.output.kl.isfinite().all()

    world.train(batches, watch)
    return tables


@pytest.mark.parametrize(("task", "changes"), LEARNED)
def test_learned_weights_under_random_routing(task: str, changes: list[str]) -> None:
    world = build("cgl", task, changes=changes)
    maps = [parameter for parameter in world.aggregator.parameters() if parameter.dim() == 2]
    before = [parameter.detach().clone() for parameter in maps]
    seen = []
    world.aggregator.register_forward_hook(lambda module, inputs, result: seen.append((inputs[0], result.detach())))
    watched(world, [world.batch(number) for number in range(3)])
    assert maps
    assert not any(torch.allclose(old, new) for old, new in zip(before, maps, strict=True))
    for outputs, weights in seen:
        taught = outputs.imitated.any(dim=1).double()
        rows = weights.shape[2]
        torch.testing.assert_close(weights.sum(dim=1), taught.unsqueeze(1).expand(-1, rows))
        for learner, batch, row, chosen in zip(
            outputs.learners, outputs.batches, weights, outputs.imitated, strict=True
        ):
            members = {outputs.plan.outputs[j, batch] for j in chosen.nonzero().flatten().tolist()}
            assert set(row.sum(dim=1).nonzero().flatten().tolist()) <= members, f"student {learner}"


def test_a_gate_needs_a_trunk_to_read() -> None:
    with pytest.raises((ConfigError, InputError), match="share"):
        build("cgl", changes=[BY_TRUNK])


def modules(world: World) -> list[int]:
    return [len(row) for row in world.pool.layers]


def parameters(world: World) -> int:
    return sum(parameter.numel() for parameter in world.pool.parameters())


WHOLE = {"image": [2, 2, 2, 2, 2], "text": [1, 2, 2, 2, 2]}
TASKS = tuple(WHOLE)


@pytest.mark.parametrize("task", TASKS)
def test_without_random_routing(task: str) -> None:
    """Eight networks with sub-sets and sub-groups."""
    world, alone = build("cgl", task, changes=['method.routing={kind="disjoint"}']), build("baseline", task)
    tables = watched(world, own_batches(world, 2))
    assert modules(world) == [8] * 5
    assert parameters(world) == 8 * parameters(alone)
    assert world.parts.subsets.group_of == tuple(range(8))
    assert len(own_batches(world, 1)[0].sizes) == 8
    assert 0 < torch.stack(tables).double().mean() < 0.875


@pytest.mark.parametrize("task", TASKS)
def test_without_subset_data(task: str) -> None:
    """All students read one batch, and an epoch is as long as for one network."""
    world, alone = build("cgl", task, changes=['method.subsets={kind="whole"}']), build("baseline", task)
    watched(world, own_batches(world, 2))
    assert world.parts.subsets.group_of == (0,) * 8
    assert own_batches(world, 1)[0].sizes == (6,)
    assert world.parts.batches.epoch_length == alone.parts.batches.epoch_length == 10
    assert modules(world) == WHOLE[task]


@pytest.mark.parametrize("task", TASKS)
def test_without_subgroup_imitation(task: str) -> None:
    """Everyone imitates all seven others in every iteration."""
    world = build("cgl", task, changes=['method.choose={kind="others"}'])
    tables = watched(world, own_batches(world, 2))
    assert all(torch.equal(table, ~torch.eye(8, dtype=torch.bool)) for table in tables)
    assert world.parts.subsets.group_of == tuple(range(8))
    assert modules(world) == WHOLE[task]


@pytest.mark.parametrize("task", TASKS)
def test_the_whole_of_cgl_beside_its_ablations(task: str) -> None:
    world = build("cgl", task)
    tables = watched(world, own_batches(world, 2))
    assert modules(world) == WHOLE[task]
    assert world.parts.subsets.group_of == tuple(range(8))
    assert world.parts.batches.epoch_length == 2
    assert not torch.equal(tables[0], tables[1])
    assert not any(table.diagonal().any() for table in tables)
