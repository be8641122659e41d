"""What must hold of each method whatever its weights are."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from cgl_ignite.engine.evaluate import pool_logits
from tests.equivalence.methods.package import World, build, gradient

TASKS = ("image", "text")


def own_gradients(world: World, student: int) -> list[Tensor]:
    """Gradients of the modules that one student alone runs."""
    rows = [row for row in world.pool.layers if len(row) > 1]
    return [gradient(parameter) for row in rows for parameter in row[student].parameters()]


def trunk_gradients(world: World) -> list[Tensor]:
    return [gradient(p) for row in world.pool.layers if len(row) == 1 for p in row[0].parameters()]


def only(student: int, members: list[int], students: int) -> Tensor:
    """Say that one student imitates some others, and nobody else does."""
    table = torch.zeros(students, students, dtype=torch.bool)
    table[student, members] = True
    return table


def copy_student(world: World, source: int, target: int) -> None:
    for row in world.pool.layers:
        if len(row) > 1:
            row[target].load_state_dict(row[source].state_dict())


def weights_of(world: World) -> list[Tensor]:
    """Collect what the aggregator says in every call from now on."""
    seen: list[Tensor] = []
    world.aggregator.register_forward_hook(lambda module, inputs, result: seen.append(result.detach()))
    return seen


def still(world: World) -> World:
    """Take steps that move nothing."""
    world.parts.optimizer.param_groups[0]["lr"] = 0.0
    return world


@pytest.mark.parametrize("task", TASKS)
def test_two_mutual_learners_that_swap_weights_swap_losses(task: str) -> None:
    world = still(build("dml", task, changes=["method.students=2"]))
    first = world.once(world.batch())
    for one, other in world.pool.layers:
        ones, others = ({k: v.clone() for k, v in m.state_dict().items()} for m in (one, other))
        one.load_state_dict(others)
        other.load_state_dict(ones)
    second = world.once(world.batch())
    assert first.kl[0] != first.kl[1]
    torch.testing.assert_close(second.ce, first.ce.flip(0))
    torch.testing.assert_close(second.kl, first.kl.flip(0))


@pytest.mark.parametrize("preset", ["dml", "cl_ilr"])
@pytest.mark.parametrize("task", TASKS)
def test_an_imitated_student_learns_nothing_from_being_imitated(preset: str, task: str) -> None:
    world = build(preset, task, changes=["method.students=2", "method.loss.label_weight=0"])
    world.once(world.batch(), only(0, [1], 2))
    assert all(values.any() for values in own_gradients(world, 0)[-2:])
    assert not any(values.any() for values in own_gradients(world, 1))


@pytest.mark.parametrize("preset", ["dml_repo", "cl_ilr_repo"])
def test_in_the_repository_an_imitated_student_learns_as_well(preset: str) -> None:
    world = build(preset, changes=["method.students=2", "method.loss.label_weight=0"])
    world.once(world.batch(), only(0, [1], 2))
    assert all(values.any() for values in own_gradients(world, 1)[-2:])


@pytest.mark.parametrize("task", TASKS)
def test_the_trunk_sees_the_mean_of_its_branches(task: str) -> None:
    mean = build("cl_ilr", task)
    total = build("cl_ilr", task, changes=["method.loss.trunk_gradient=sum"])
    for world in (mean, total):
        world.once(world.batch())
    students = mean.pipeline.method.students
    assert len(trunk_gradients(mean)) > 0
    for divided, whole in zip(trunk_gradients(mean), trunk_gradients(total), strict=True):
        torch.testing.assert_close(divided * students, whole)
    for student in range(students):
        for one, other in zip(own_gradients(mean, student), own_gradients(total, student), strict=True):
            torch.testing.assert_close(one, other)


@pytest.mark.parametrize("task", TASKS)
def test_in_a_tree_every_split_divides(task: str) -> None:
    """Four heads on two stems on one trunk, as Song & Chai draw them."""
    tree = 'method.routing={kind="fixed", table=[[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 2], [0, 0, 1, 3]]}'
    mean = build("cl_ilr", task, changes=["method.students=4", tree])
    total = build("cl_ilr", task, changes=["method.students=4", tree, "method.loss.trunk_gradient=sum"])
    for world in (mean, total):
        world.once(world.batch())
    assert [len(row) for row in mean.pool.layers] == [1, 1, 2, 4, 4]
    for divisor, divided, whole in zip((4, 4, 2, 1, 1), mean.pool.layers, total.pool.layers, strict=True):
        for one, other in zip(divided.parameters(), whole.parameters(), strict=True):
            torch.testing.assert_close(gradient(one) * divisor, gradient(other))


@pytest.mark.parametrize("task", TASKS)
def test_a_branch_is_no_part_of_its_own_teacher(task: str) -> None:
    """A branch without an opinion is as far from its teacher as the teacher is from knowing nothing."""
    world = still(build("cl_ilr", task))
    students, classes = world.pipeline.method.students, len(world.parts.splits.classes)
    captured: list[Tensor] = []
    for classifier in world.pool.layers[-1]:
        classifier.register_forward_hook(lambda module, inputs, result: captured.append(result.detach()))
    with torch.no_grad():
        for parameter in world.pool.layers[-1][0].parameters():
            parameter.zero_()
    kl = world.once(world.batch()).kl
    teacher = sum(captured[1:]) / (students - 1)
    p = (teacher / 2).softmax(1)
    expected = 4 * (math.log(classes) + (p * p.log()).sum(1).mean())
    assert len(captured) == students
    torch.testing.assert_close(kl[0], expected)


@pytest.mark.parametrize("task", TASKS)
def test_the_gate_shares_out_one(task: str) -> None:
    world = build("one", task)
    seen = weights_of(world)
    world.once(world.batch())
    (weights,) = seen
    students = world.pipeline.method.students
    assert weights.shape == (students, students, 6)
    assert (weights > 0).all()
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(students, 6, dtype=torch.float64))
    assert all(torch.equal(row, weights[0]) for row in weights)
    assert not torch.equal(weights[0, :, 0], weights[0, :, 1])


@pytest.mark.parametrize(("preset", "imitation_teaches_the_gate"), [("one", False), ("one_repo", True)])
@pytest.mark.parametrize("task", TASKS)
def test_what_the_gate_learns_from(task: str, preset: str, imitation_teaches_the_gate: bool) -> None:
    world = still(build(preset, task, changes=["method.loss.label_weight=0"]))
    world.once(world.batch(), ramp=0.0)
    from_labels = gradient(world.aggregator.linear.weight).clone()
    world.once(world.batch(), ramp=1.0)
    from_both = gradient(world.aggregator.linear.weight)
    assert from_labels.abs().max() > 1e-6
    assert torch.allclose(from_labels, from_both, rtol=1e-9, atol=0) != imitation_teaches_the_gate


@pytest.mark.parametrize("preset", ["one", "okddip"])
@pytest.mark.parametrize("task", TASKS)
def test_branches_that_agree_are_their_own_teacher(preset: str, task: str) -> None:
    world = still(build(preset, task))
    assert world.once(world.batch()).kl.min() > 0.01
    for student in range(1, world.pipeline.method.students):
        copy_student(world, 0, student)
    assert world.once(world.batch()).kl.abs().max() < 1e-12


@pytest.mark.parametrize("reading", ["flows", "weights"])
@pytest.mark.parametrize("task", TASKS)
def test_both_projections_learn(task: str, reading: str) -> None:
    world = build("okddip", task, changes=[f"method.loss.teacher_gradient={reading}", "method.loss.label_weight=0"])
    world.once(world.batch())
    assert len(list(world.aggregator.parameters())) == 2
    assert all(gradient(parameter).any() for parameter in world.aggregator.parameters())


@pytest.mark.parametrize("task", TASKS)
def test_nobody_listens_to_the_leader(task: str) -> None:
    world = still(build("okddip", task, changes=["method.loss.label_weight=0"]))
    leader = world.pipeline.method.students - 1
    before = world.once(world.batch()).kl
    with torch.no_grad():
        for row in world.pool.layers[-2:]:
            for parameter in row[leader].parameters():
                parameter.mul_(1.5)
    after = world.once(world.batch()).kl
    assert torch.equal(before[:leader], after[:leader])
    assert before[leader] != after[leader]
    peers_only = world.parts.choice.draw(torch.Generator())
    peers_only[leader] = False
    world.once(world.batch(), peers_only)
    assert not any(values.any() for values in own_gradients(world, leader))
    assert all(own_gradients(world, peer)[-1].any() for peer in range(leader))


@pytest.mark.parametrize("task", TASKS)
def test_without_projections_all_peers_count_alike(task: str) -> None:
    world = build("okddip", task)
    for parameter in world.aggregator.parameters():
        nn.init.zeros_(parameter)
    seen = weights_of(world)
    world.once(world.batch())
    students = world.pipeline.method.students
    expected = torch.full((students, students, 6), 1 / (students - 1), dtype=torch.float64)
    expected[:, -1] = 0
    torch.testing.assert_close(seen[0], expected)


@pytest.mark.parametrize("task", TASKS)
def test_peers_attend_and_the_leader_averages(task: str) -> None:
    world = build("okddip", task)
    seen = weights_of(world)
    world.once(world.batch())
    (weights,) = seen
    students = world.pipeline.method.students
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(students, 6, dtype=torch.float64))
    torch.testing.assert_close(weights[-1, :-1], torch.full_like(weights[-1, :-1], 1 / (students - 1)))
    assert (weights[:, -1] == 0).all()
    assert not torch.allclose(weights[0, :-1], weights[1, :-1])


def test_the_whole_of_a_cgl_draw_is_all_others() -> None:
    world = build("cgl", changes=["method.choose.probability=1"])
    assert torch.equal(world.parts.choice.draw(torch.Generator()), ~torch.eye(8, dtype=torch.bool))


def test_evaluation_hears_every_student_alone() -> None:
    """The leader's answers do not depend on the attention, nor a branch's on the gate."""
    for preset in ("one", "okddip"):
        world = build(preset)
        world.once(world.batch())
        inputs = world.batch(1).inputs
        before = pool_logits(world.pool.eval(), inputs)
        for parameter in world.aggregator.parameters():
            nn.init.zeros_(parameter)
        assert torch.equal(pool_logits(world.pool, inputs), before)
