"""The training step on pools so small that the objective can be written out beside it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cgl_ignite.config.schema import Loss
from cgl_ignite.data import Batch
from cgl_ignite.engine.step import CollaborativeStep
from cgl_ignite.handlers.state import StudentLosses
from cgl_ignite.imitation import Choice, View
from cgl_ignite.imitation.aggregate import Mean
from cgl_ignite.pool import ModularNetwork

FEATURES, CLASSES, ROWS = 5, 3, 4
NOBODY = [[False] * 3 for _ in range(3)]
EVERYONE = [[i != j for j in range(3)] for i in range(3)]
APART = [[0], [1], [2]]


class Counting(torch.optim.SGD):
    """Counts its steps, and moves nothing unless it is given a rate."""

    steps = 0

    def step(self, closure=None) -> None:
        self.steps += 1
        super().step(closure)


def linear() -> nn.Module:
    return nn.Linear(FEATURES, CLASSES, bias=False)


def dropped() -> nn.Module:
    return nn.Sequential(nn.Dropout(0.5), linear())


def build(
    paths=APART,
    group_of=(0, 1, 2),
    chunk=3,
    layers=(linear,),
    rate=0.0,
    divisor="drawn",
    expected=2.0,
    printed=None,
    **loss,
):
    """Make a step over students that are linear maps."""
    modules = [max(column) + 1 for column in zip(*paths, strict=True)]
    pool = ModularNetwork(layers, modules, seed=1).double()
    pool.route(torch.tensor(paths), group_of)
    choice = Choice(expected, lambda _: torch.tensor(EVERYONE), printed)
    aggregator = Mean(len(paths), choice, View(torch.flatten, None, FEATURES), divisor=divisor)
    return CollaborativeStep(pool, aggregator, Counting(pool.parameters(), lr=rate), group_of, Loss(**loss), chunk)


def batch(*sizes: int) -> Batch:
    generator = torch.Generator().manual_seed(5)
    inputs = torch.randn(sum(sizes), FEATURES, generator=generator, dtype=torch.float64) * 2
    return Batch(inputs, torch.randint(CLASSES, (sum(sizes),), generator=generator), sizes)


def take(
    step: CollaborativeStep, given: Batch, imitated=EVERYONE, ramp: float = 1.0, iteration: int = 1
) -> StudentLosses:
    state = SimpleNamespace(imitated=torch.tensor(imitated), ramp=ramp, iteration=iteration)
    return step(SimpleNamespace(state=state), given)


def gradients(step: CollaborativeStep) -> list[Tensor]:
    return [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in step.pool.parameters()]


def by_hand(step: CollaborativeStep, given: Batch, weights: Tensor, temperature: float = 3.0) -> tuple[Tensor, Tensor]:
    """CE and squared-temperature KL of every student; ``weights`` say whom it imitates, how much."""
    students = [step.pool.layers[0][path[0]].weight for path in step.pool.routes.paths]
    inputs, targets = given.inputs.split(given.sizes), given.targets.split(given.sizes)
    ce, kl = [], []
    for student, own in enumerate(students):
        values, labels = inputs[step.group_of[student]], targets[step.group_of[student]]
        logits = values @ own.T
        ce.append(F.cross_entropy(logits, labels))
        teacher = sum(weight * values @ other.T for weight, other in zip(weights[student], students, strict=True))
        tempered = F.log_softmax(logits / temperature, -1), F.softmax(teacher / temperature, -1)
        kl.append(temperature**2 * F.kl_div(*tempered, reduction="batchmean") * weights[student].any())
    return torch.stack(ce), torch.stack(kl)


@pytest.mark.parametrize("group_of", [(0, 1, 2), (0, 0, 0)])
def test_losses_and_gradients_of_three_students_that_imitate_each_other(group_of: tuple[int, ...]) -> None:
    step = build(group_of=group_of)
    given = batch(*[ROWS] * (max(group_of) + 1))
    losses = take(step, given, ramp=0.3)
    ce, kl = by_hand(step, given, torch.tensor(EVERYONE).double() / 2)
    torch.testing.assert_close(losses.ce, ce.detach())
    torch.testing.assert_close(losses.kl, kl.detach())
    assert not losses.ce.requires_grad
    assert losses.sizes == (ROWS,) * 3
    expected = torch.autograd.grad((ce + 0.3 * kl).sum(), list(step.pool.parameters()))
    for found, wanted in zip(gradients(step), expected, strict=True):
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize(
    ("label", "imitation", "ramp"), [(2.0, 1.0, 1.0), (1.0, 0.5, 0.3), (0.0, 1.0, 1.0), (1.0, 0.0, 1.0)]
)
def test_weights_scale_the_gradient_and_not_what_is_reported(label: float, imitation: float, ramp: float) -> None:
    step = build(label_weight=label, imitation_weight=imitation)
    given = batch(ROWS, ROWS, ROWS)
    losses = take(step, given, ramp=ramp)
    ce, kl = by_hand(step, given, torch.tensor(EVERYONE).double() / 2)
    torch.testing.assert_close(losses.ce, ce.detach())
    torch.testing.assert_close(losses.kl, kl.detach())
    expected = torch.autograd.grad((label * ce + imitation * ramp * kl).sum(), list(step.pool.parameters()))
    for found, wanted in zip(gradients(step), expected, strict=True):
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize(("divisor", "number"), [("expected", 2.0), ("printed", 3.0)])
def test_a_divisor_that_is_not_the_number_drawn(divisor: str, number: float) -> None:
    """Who imitates one student where H = 2 gets half its logits as a teacher."""
    imitated = [[False, True, False], [False] * 3, [True, True, False]]
    step = build(divisor=divisor, expected=2.0, printed=3.0)
    given = batch(ROWS, ROWS, ROWS)
    losses = take(step, given, imitated)
    ce, kl = by_hand(step, given, torch.tensor(imitated).double() / number)
    torch.testing.assert_close(losses.kl, kl.detach())
    expected = torch.autograd.grad((ce + kl).sum(), list(step.pool.parameters()))
    for found, wanted in zip(gradients(step), expected, strict=True):
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize(("temperature", "squared"), [(1.0, True), (5.0, True), (5.0, False)])
def test_temperature(temperature: float, squared: bool) -> None:
    step = build(temperature=temperature, temperature_squared=squared)
    given = batch(ROWS, ROWS, ROWS)
    losses = take(step, given)
    _, kl = by_hand(step, given, torch.tensor(EVERYONE).double() / 2, temperature)
    torch.testing.assert_close(losses.kl, kl.detach() / (1 if squared else temperature**2))


def test_twins_are_run_once_and_count_twice() -> None:
    """Students 1 and 2 are the same network: student 0 follows it, and each of them has itself for a teacher."""
    step = build(paths=[[0], [1], [1]])
    given = batch(ROWS, ROWS, ROWS)
    losses = take(step, given)
    _, kl = by_hand(step, given, torch.tensor(EVERYONE).double() / 2)
    torch.testing.assert_close(losses.kl, kl.detach())
    only_each_other = [[False] * 3, [False, False, True], [False, True, False]]
    assert take(step, given, only_each_other).kl.abs().max() < 1e-12


@pytest.mark.parametrize("divisor", ["drawn", "expected", "printed"])
def test_who_imitates_nobody_has_no_imitation_loss(divisor: str) -> None:
    imitated = [[False, True, False], [False] * 3, [False] * 3]
    step = build(divisor=divisor, expected=1.0)
    losses = take(step, batch(ROWS, ROWS, ROWS), imitated)
    assert losses.kl[0] > 0
    assert losses.kl[1:].tolist() == [0, 0]
    assert all(gradient.isfinite().all() for gradient in gradients(step))


@pytest.mark.parametrize(("divisor", "expected"), [("drawn", 1.0), ("expected", 1.0), ("expected", 0.0)])
def test_when_nobody_imitates_labels_are_all(divisor: str, expected: float) -> None:
    step = build(divisor=divisor, expected=expected)
    given = batch(ROWS, ROWS, ROWS)
    losses = take(step, given, NOBODY)
    assert losses.kl.tolist() == [0, 0, 0]
    ce, _ = by_hand(step, given, torch.zeros(3, 3))
    for found, wanted in zip(gradients(step), torch.autograd.grad(ce.sum(), list(step.pool.parameters())), strict=True):
        torch.testing.assert_close(found, wanted)


def test_batches_of_unequal_size_count_as_means() -> None:
    step = build()
    given = batch(2, 7, 3)
    losses = take(step, given)
    ce, kl = by_hand(step, given, torch.tensor(EVERYONE).double() / 2)
    torch.testing.assert_close(losses.ce, ce.detach())
    torch.testing.assert_close(losses.kl, kl.detach())
    assert losses.sizes == (2, 7, 3)


def test_who_sits_out_has_no_loss_and_can_still_be_imitated() -> None:
    step = build()
    given = batch(ROWS, 0, ROWS)
    losses = take(step, given, [[False, True, False], [True, False, True], [False] * 3])
    assert losses.sizes == (ROWS, 0, ROWS)
    assert (losses.ce[1], losses.kl[1]) == (0, 0)
    assert losses.kl[0] > 0
    assert gradients(step)[1].any()


@pytest.mark.parametrize("gradient", ["flows", "stopped"])
@pytest.mark.parametrize("chunk", [1, 2])
def test_chunks_add_up_to_the_whole(gradient: str, chunk: int) -> None:
    given = batch(ROWS, 2, ROWS)
    whole, parts = (build(chunk=size, teacher_gradient=gradient) for size in (3, chunk))
    expected, found = take(whole, given), take(parts, given)
    torch.testing.assert_close(found.ce, expected.ce)
    torch.testing.assert_close(found.kl, expected.kl)
    for mine, theirs in zip(gradients(parts), gradients(whole), strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("chunk", [1, 2])
def test_random_masks_do_not_depend_on_the_chunks(chunk: int) -> None:
    given = batch(ROWS, ROWS, ROWS)
    whole, parts = (build(chunk=size, layers=(dropped,)) for size in (3, chunk))
    expected, found = take(whole, given), take(parts, given)
    torch.testing.assert_close(found.ce, expected.ce)
    torch.testing.assert_close(found.kl, expected.kl)


def test_students_of_different_chunks_draw_different_masks() -> None:
    """Twins that see the same rows with different masks have different losses."""
    given = batch(ROWS, ROWS)
    same = Batch(torch.cat([given.inputs[:ROWS]] * 2), torch.cat([given.targets[:ROWS]] * 2), (ROWS, ROWS))
    step = build(paths=[[0], [0]], group_of=(0, 1), chunk=1, layers=(dropped,))
    losses = take(step, same, [[False, False], [False, False]])
    assert losses.ce[0] != losses.ce[1]


def test_masks_of_an_iteration_are_its_own() -> None:
    step = build(layers=(dropped,))
    given = batch(ROWS, ROWS, ROWS)
    first, again, other = (take(step, given, iteration=iteration).ce for iteration in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_one_update_an_iteration_from_its_own_gradients(chunk: int) -> None:
    step = build(chunk=chunk, rate=0.1)
    given = batch(ROWS, ROWS, ROWS)
    before = [parameter.detach().clone() for parameter in step.pool.parameters()]
    take(step, given)
    once = gradients(step)
    for parameter, start, gradient in zip(step.pool.parameters(), before, once, strict=True):
        torch.testing.assert_close(parameter.detach(), start - 0.1 * gradient)
    take(step, given)
    assert step.optimizer.steps == 2
    assert not any(torch.allclose(new, 2 * old) for new, old in zip(gradients(step), once, strict=True))


def test_gradients_left_from_before_are_forgotten() -> None:
    step = build()
    given = batch(ROWS, ROWS, ROWS)
    take(step, given)
    once = gradients(step)
    take(step, given)
    for new, old in zip(gradients(step), once, strict=True):
        assert torch.equal(new, old)


def test_training_follows_evaluation() -> None:
    step = build(layers=(dropped,))
    step.pool.eval()
    take(step, batch(ROWS, ROWS, ROWS))
    assert all(part.training for part in step.pool.modules())


def test_a_module_nobody_runs_gets_no_gradient() -> None:
    step = build(paths=[[0], [2]], group_of=(0, 1), chunk=2)
    take(step, batch(ROWS, ROWS), [[False, True], [True, False]])
    first, idle, last = (module.weight.grad for module in step.pool.layers[0])
    assert first is not None
    assert idle is None
    assert last is not None
