"""Weights of rows in the training step, against losses written out in float64."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from cgl_ignite.data import Batch
from cgl_ignite.tasks import MULTI_LABEL
from tests.engine.test_step import CLASSES, EVERYONE, NOBODY, ROWS, batch, build, gradients, take

SIZES = (ROWS, ROWS - 1, ROWS)


def weighted(given: Batch) -> Batch:
    """The batch with weights of its rows, one of them 0."""
    weights = torch.rand(len(given.targets), generator=torch.Generator().manual_seed(8), dtype=torch.float64) * 3
    weights[2] = 0
    return replace(given, weights=weights)


def parts_of(step, given: Batch) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Logits, targets and weights of each student on its own rows."""
    assert given.weights is not None
    parts = (rows.split(given.sizes) for rows in (given.inputs, given.targets, given.weights))
    modules = [module.weight for module in step.pool.layers[0]]
    return [
        (inputs @ weight.T, targets, shares) for weight, inputs, targets, shares in zip(modules, *parts, strict=True)
    ]


def check_gradients(step, total: Tensor) -> None:
    expected = torch.autograd.grad(total, list(step.pool.parameters()))
    for found, wanted in zip(gradients(step), expected, strict=True):
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("chunk", [1, 3])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_with_the_labels_is_weighted_and_imitation_is_not(chunk: int, smoothing: float) -> None:
    """Eq. 6 with w in front of each sample's cross-entropy, divided by the number of rows; class weights multiply."""
    step = build(chunk=chunk, temperature=2.0, label_smoothing=smoothing)
    step.class_weights = torch.tensor([0.5, 1.0, 2.5])
    given = weighted(batch(*SIZES))
    losses = take(step, given, ramp=0.5)
    total, ce, kl = torch.zeros((), dtype=torch.float64), [], []
    modules = [module.weight for module in step.pool.layers[0]]
    inputs = given.inputs.split(given.sizes)
    for student, (own, labels, weights) in enumerate(parts_of(step, given)):
        logs, terms = own.log_softmax(-1), []
        for row, label in enumerate(labels.tolist()):
            wanted = (1 - smoothing) * F.one_hot(torch.tensor(label), CLASSES) + smoothing / CLASSES
            terms.append(-weights[row] * float(step.class_weights[label]) * (wanted * logs[row]).sum())
        ce.append(sum(terms) / len(labels))
        others = [inputs[student] @ weight.T for other, weight in enumerate(modules) if other != student]
        taught = (sum(others) / 2 / 2).softmax(-1)
        kl.append(4 * (taught * (taught.log() - (own / 2).log_softmax(-1))).sum(1).mean())
        total = total + ce[-1] + 0.5 * kl[-1]
    torch.testing.assert_close(losses.ce, torch.stack(ce).detach())
    torch.testing.assert_close(losses.kl, torch.stack(kl).detach())
    check_gradients(step, total)


def test_the_label_loss_of_the_teacher_is_weighted_too() -> None:
    step = build(teacher_label_weight=1.0, imitation_weight=0.0)
    given = weighted(batch(ROWS, ROWS, ROWS))
    take(step, given, imitated=EVERYONE)
    total = torch.zeros((), dtype=torch.float64)
    modules, inputs = [module.weight for module in step.pool.layers[0]], given.inputs.split(given.sizes)
    for student, (own, labels, weights) in enumerate(parts_of(step, given)):
        teacher = sum(inputs[student] @ weight.T for other, weight in enumerate(modules) if other != student) / 2
        for logits, share in ((own, 1), (teacher, 1 / 3)):
            losses = torch.stack([-logits.log_softmax(-1)[row, label] for row, label in enumerate(labels.tolist())])
            total = total + share * (weights * losses).mean()
    check_gradients(step, total)


def test_rows_with_several_labels() -> None:
    """The binary cross-entropy of each row, as the mean over the classes, times its weight."""
    step = build()
    step.task = MULTI_LABEL
    drawn = weighted(batch(*SIZES))
    labels = torch.randint(2, (sum(SIZES), CLASSES), generator=torch.Generator().manual_seed(3)).double()
    given = replace(drawn, targets=labels)
    losses = take(step, given, imitated=NOBODY)
    total, ce = torch.zeros((), dtype=torch.float64), []
    for own, targets, weights in parts_of(step, given):
        each = -(targets * own.sigmoid().log() + (1 - targets) * (1 - own.sigmoid()).log())
        ce.append((weights * each.sum(1) / CLASSES).sum() / len(targets))
        total = total + ce[-1]
    torch.testing.assert_close(losses.ce, torch.stack(ce).detach())
    check_gradients(step, total)


def test_equal_weights_change_nothing() -> None:
    given = batch(*SIZES)
    plain, alike = build(), build()
    first = take(plain, given)
    second = take(alike, replace(given, weights=torch.ones(len(given.targets))))
    assert first.ce.equal(second.ce)
    assert all(one.equal(other) for one, other in zip(gradients(plain), gradients(alike), strict=True))
