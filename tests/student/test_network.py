"""A student answers what its place in the pool answers, and needs nothing of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cgl_ignite.engine.evaluate import pool_logits
from cgl_ignite.student import example_inputs

FORMS = [((1, 8, 8), "module"), ((1, 8, 8), "student"), ((1, 8, 8), "shared"), ((3, 32, 32), "module")]


def levels(shape, rows=5):
    return torch.randint(256, (rows, *shape), generator=torch.Generator().manual_seed(2), dtype=torch.uint8)


@pytest.mark.parametrize(("shape", "classifier"), FORMS)
def test_every_student_answers_as_in_the_pool(train_pool, shape, classifier):
    trained = train_pool(shape, classifier)
    inputs = levels(shape)
    together = pool_logits(trained.pool, trained.normaliser(inputs))
    assert together.std() > 0.01
    for index, expected in enumerate(together):
        student = trained.student(index)
        with torch.no_grad():
            normalised, alone = student.network(trained.normaliser(inputs)), student(inputs.float() / 255)
        bound = 1e-4 * expected.abs().max().item()
        torch.testing.assert_close(normalised, expected, rtol=0, atol=bound)
        torch.testing.assert_close(alone, expected, rtol=0, atol=bound)


def test_a_student_holds_plain_layers_in_evaluation_mode_and_shares_nothing(trained):
    student = trained.student(1)
    homes = {type(part).__module__.partition(".")[0] for part in student.network.modules()}
    assert homes <= {"torch", "torchvision"}
    assert not any(part.training for part in student.modules())
    assert all(weight.is_contiguous() for weight in student.state_dict().values())
    inside = {weight.data_ptr() for weight in trained.pool.state_dict().values()}
    assert not inside & {weight.data_ptr() for weight in student.state_dict().values()}
    assert student.mean is not trained.normaliser.mean


def test_a_student_normalises_each_channel(train_pool):
    student = train_pool((3, 32, 32)).student(0)
    student.network = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    grey = torch.full((1, 3, 4, 4), 0.5)
    torch.testing.assert_close(student(grey), torch.tensor([[0.1 / 0.2, 0.05 / 0.25, 0.0]]))


def test_example_inputs_are_two_and_always_the_same(trained):
    example = example_inputs(trained.card(0))
    assert example.shape == (2, 1, 8, 8)
    assert example.dtype == np.float32
    assert 0 <= example.min() < example.max() < 1
    assert np.array_equal(example, example_inputs(trained.card(2)))
