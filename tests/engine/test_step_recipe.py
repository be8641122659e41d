"""What the training recipe adds to the step: frozen teachers, clipped gradients, mixed and smoothed targets."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from cgl_ignite.data import Batch
from tests.engine.test_step import CLASSES, FEATURES, ROWS, batch, build, gradients, take


def test_students_that_imitate_frozen_teachers_alone() -> None:
    """Two teachers by matrices; batches of different length; the divergence from the mean of their logits."""
    step = build(temperature=2.0)
    maps = torch.randn(2, CLASSES, FEATURES, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    step.teachers = lambda inputs: torch.einsum("bf,tcf->tbc", inputs, maps)
    given = batch(ROWS, ROWS - 1, ROWS)
    losses = take(step, given, imitated=[[False] * 3] * 3, ramp=0.5)
    total, kl = torch.zeros((), dtype=torch.float64), []
    parts = zip(step.pool.layers[0], given.inputs.split(given.sizes), given.targets.split(given.sizes), strict=True)
    for module, inputs, labels in parts:
        own, taught = inputs @ module.weight.T, inputs @ maps.mean(0).T
        tempered = F.log_softmax(own / 2, -1), F.softmax(taught / 2, -1)
        kl.append(4 * F.kl_div(*tempered, reduction="batchmean"))
        total = total + F.cross_entropy(own, labels) + 0.5 * kl[-1]
    torch.testing.assert_close(losses.kl, torch.stack(kl).detach())
    expected = torch.autograd.grad(total, list(step.pool.parameters()))
    for found, wanted in zip(gradients(step), expected, strict=True):
        torch.testing.assert_close(found, wanted)


def test_a_teacher_is_one_more_member_of_the_sub_group() -> None:
    """Whoever imitates two students and one frozen teacher learns from the mean of three."""
    step = build()
    map_ = torch.randn(CLASSES, FEATURES, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    step.teachers = lambda inputs: (inputs @ map_.T).unsqueeze(0)
    given = batch(ROWS, ROWS, ROWS)
    losses = take(step, given)
    modules = [module.weight for module in step.pool.layers[0]]
    for student, inputs in enumerate(given.inputs.split(given.sizes)):
        others = [inputs @ weight.T for other, weight in enumerate(modules) if other != student]
        teacher = (others[0] + others[1] + inputs @ map_.T) / 3
        tempered = F.log_softmax(inputs @ modules[student].T / 3, -1), F.softmax(teacher / 3, -1)
        torch.testing.assert_close(losses.kl[student], 9 * F.kl_div(*tempered, reduction="batchmean").detach())


@pytest.mark.parametrize("clip", [0.5, 1e6])
def test_the_gradient_of_all_students_is_clipped_together(clip: float) -> None:
    plain, clipped = build(), build()
    clipped.clip_norm = clip
    for step in (plain, clipped):
        take(step, batch(ROWS, ROWS, ROWS))
    norm = torch.cat([gradient.flatten() for gradient in gradients(plain)]).norm()
    for found, whole in zip(gradients(clipped), gradients(plain), strict=True):
        torch.testing.assert_close(found, whole * min(1.0, clip / norm.item()), rtol=1e-5, atol=0)


def test_mixed_and_smoothed_targets_of_students_with_batches_of_their_own() -> None:
    """Shares of classes take the place of labels, padded where a batch is shorter."""
    step = build(label_smoothing=0.2)
    given = batch(ROWS, ROWS - 1, ROWS)
    shares = torch.rand(len(given.targets), CLASSES, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    shares = shares / shares.sum(1, keepdim=True)
    losses = take(step, Batch(given.inputs, shares, given.sizes), imitated=[[False] * 3] * 3)
    parts = zip(step.pool.layers[0], given.inputs.split(given.sizes), shares.split(given.sizes), strict=True)
    expected = [
        -((0.8 * target + 0.2 / CLASSES) * F.log_softmax(inputs @ module.weight.T, -1)).sum(1).mean()
        for module, inputs, target in parts
    ]
    torch.testing.assert_close(losses.ce, torch.stack(expected).detach())
