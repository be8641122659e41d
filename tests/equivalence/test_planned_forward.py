"""The planned step agrees with a plain loop over students: losses, every gradient, every running statistic."""

from __future__ import annotations

from types import SimpleNamespace
from unittest import mock

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from cgl_ignite.config.schema import Loss
from cgl_ignite.data import Batch
from cgl_ignite.engine.step import CollaborativeStep
from cgl_ignite.imitation import View
from cgl_ignite.imitation.aggregate import Mean
from cgl_ignite.imitation.choose import others
from cgl_ignite.pool import ModularNetwork, extract_student, network
from cgl_ignite.pool.normalisation import StudentBatchNorm
from tests.equivalence.reference import PlainStudents

CLASSES = 3
WIDTH = 4


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(WIDTH, WIDTH, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(WIDTH)

    def forward(self, inputs):
        return torch.tanh(self.norm(self.conv(inputs)) + inputs)


def builders(layers):
    def stem():
        return nn.Sequential(nn.Conv2d(2, WIDTH, 3, padding=1), nn.BatchNorm2d(WIDTH), nn.Tanh())

    def head():
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTH, CLASSES))

    return [stem, *[Residual] * (layers - 2), head]


@st.composite
def worlds(draw):
    students = draw(st.integers(1, 5))
    layers = draw(st.integers(2, 4))
    modules = [draw(st.integers(1, 3)) for _ in range(layers)]
    paths = [[draw(st.integers(0, m - 1)) for m in modules] for _ in range(students)]
    whole = draw(st.booleans())
    group_of = [0] * students if whole else list(range(students))
    sizes = [draw(st.sampled_from([0, 2, 3, 5])) for _ in range(max(group_of) + 1)]
    sizes[draw(st.integers(0, max(group_of)))] = 4
    imitated = [[i != j and draw(st.booleans()) for j in range(students)] for i in range(students)]
    chunk = draw(st.integers(1, students))
    flows = draw(st.booleans())
    return SimpleNamespace(
        students=students,
        layers=layers,
        modules=modules,
        paths=paths,
        group_of=group_of,
        sizes=tuple(sizes),
        imitated=imitated,
        chunk=chunk,
        flows=flows,
        apart=not flows and draw(st.booleans()),
        squared=draw(st.booleans()),
        seed=draw(st.integers(0, 2**16)),
        large=draw(st.sampled_from([0, 2000, 2**40])),
    )


def planned(world):
    pool = ModularNetwork(builders(world.layers), world.modules, seed=world.seed).double()
    pool.route(torch.tensor(world.paths), world.group_of)
    loss = Loss(temperature_squared=world.squared, teacher_gradient="flows" if world.flows else "stopped")
    optimizer = SimpleNamespace(zero_grad=lambda **_: pool.zero_grad(), step=lambda: None)
    aggregator = Mean(world.students, others(world.students), View(torch.flatten, None, WIDTH))
    portions = range(world.students) if getattr(world, "apart", False) else None
    step = CollaborativeStep(pool, aggregator, optimizer, world.group_of, loss, world.chunk, portion_of=portions)
    return pool, step


def random_batch(world):
    generator = torch.Generator().manual_seed(world.seed)
    rows = sum(world.sizes)
    inputs = torch.randn(rows, 2, 4, 4, generator=generator, dtype=torch.float64)
    return Batch(inputs, torch.randint(CLASSES, (rows,), generator=generator), world.sizes)


@given(worlds())
def test_step_equals_plain_loop(world):
    pool, step = planned(world)
    plain = PlainStudents(builders(world.layers), world.modules, world.paths)
    plain.copy_weights(pool)
    batch = random_batch(world)
    ramp = 0.7
    state = SimpleNamespace(imitated=torch.tensor(world.imitated).bool(), ramp=ramp, iteration=1)

    with mock.patch.object(network, "LARGE", world.large):
        losses = step(SimpleNamespace(state=state), batch)

    inputs, targets = batch.inputs.split(world.sizes), batch.targets.split(world.sizes)
    ce, kl = plain.losses(inputs, targets, world.group_of, world.imitated, 3.0, world.squared, world.flows)
    (ce + ramp * kl).sum().backward()
    close = {"rtol": 1e-10, "atol": 1e-10}
    torch.testing.assert_close(losses.ce, ce.detach(), **close)
    torch.testing.assert_close(losses.kl, kl.detach(), **close)
    for mine, theirs in zip(plain.modules, pool.layers, strict=True):
        for module, planned_module in zip(mine, theirs, strict=True):
            gradients = {name: parameter.grad for name, parameter in planned_module.named_parameters()}
            for name, parameter in module.named_parameters():
                expected = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                found = gradients[name]
                torch.testing.assert_close(torch.zeros_like(expected) if found is None else found, expected, **close)
    for (student, layer, name), (mean, variance) in plain.statistics.items():
        norm = pool.layers[layer][world.paths[student][layer]].get_submodule(name)
        slot = pool.routes.slots[student][layer]
        torch.testing.assert_close(norm.running_mean[slot], mean, **close)
        torch.testing.assert_close(norm.running_var[slot], variance, **close)


@given(worlds())
def test_an_extracted_student_equals_its_place_in_the_pool(world):
    from cgl_ignite.engine.evaluate import pool_logits

    pool, step = planned(world)
    state = SimpleNamespace(imitated=torch.tensor(world.imitated).bool(), ramp=1.0, iteration=1)
    step(SimpleNamespace(state=state), random_batch(world))
    inputs = torch.randn(3, 2, 4, 4, dtype=torch.float64)
    together = pool_logits(pool, inputs)
    for student in range(world.students):
        alone = extract_student(pool, student)
        assert not any(isinstance(part, StudentBatchNorm) for part in alone.modules())
        torch.testing.assert_close(alone(inputs), together[student], rtol=1e-10, atol=1e-10)


def test_imitation_moves_no_statistics_and_evaluation_moves_none():
    world = SimpleNamespace(
        students=2, layers=2, modules=[2, 2], paths=[[0, 0], [1, 1]], group_of=[0, 1], sizes=(4, 0),
        imitated=[[False, True], [False, False]], chunk=2, flows=True, squared=True, seed=3,
    )  # fmt: skip
    pool, step = planned(world)
    state = SimpleNamespace(imitated=torch.tensor(world.imitated), ramp=1.0, iteration=1)
    step(SimpleNamespace(state=state), random_batch(world))
    own, imitated = (pool.layers[0][module][1] for module in (0, 1))
    assert own.running_mean[0].abs().sum() > 0
    assert torch.equal(imitated.running_mean, torch.zeros_like(imitated.running_mean))
    assert own.weight.grad is not None and imitated.weight.grad is not None


def test_stopped_teacher_gets_no_gradient():
    world = SimpleNamespace(
        students=2, layers=2, modules=[2, 2], paths=[[0, 0], [1, 1]], group_of=[0, 1], sizes=(4, 0),
        imitated=[[False, True], [False, False]], chunk=2, flows=False, squared=True, seed=3,
    )  # fmt: skip
    pool, step = planned(world)
    state = SimpleNamespace(imitated=torch.tensor(world.imitated), ramp=1.0, iteration=1)
    losses = step(SimpleNamespace(state=state), random_batch(world))
    assert losses.kl[0] > 0
    assert all(parameter.grad is None for row in pool.layers for parameter in row[1].parameters())
