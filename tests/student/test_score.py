"""Scores of one student, with values known by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from cgl_ignite.data import Examples
from cgl_ignite.errors import InputError
from cgl_ignite.student import Measured, logits, measure
from cgl_ignite.student.score import ROWS


class Brightness(nn.Module):
    """Logits (0, ln 3 · level): a white image is class 1 with probability 3/4."""

    def forward(self, pixels):
        level = pixels.mean(dim=(1, 2, 3)) * math.log(3)
        return torch.stack([0 * level, level], dim=1)


def white(rows):
    return torch.full((rows, 1, 2, 2), 255, dtype=torch.uint8)


def test_accuracy_and_cross_entropy_by_hand():
    examples = Examples(white(4), torch.tensor([1, 1, 1, 0]))
    expected = (3 * math.log(4 / 3) + math.log(4)) / 4
    measured = measure(Brightness(), examples)
    assert (measured.accuracy, measured.n) == (75.0, 4)
    assert math.isclose(measured.cross_entropy, expected, rel_tol=1e-6)


def test_every_row_counts_once():
    rows = 2 * ROWS + 3
    targets = torch.zeros(rows, dtype=torch.int64)
    targets[-1] = 1
    assert measure(Brightness(), Examples(white(rows), targets)).accuracy == 100 / rows
    assert logits(Brightness(), white(rows)).shape == (rows, 2)


@pytest.mark.parametrize("damage", [math.nan, math.inf])
def test_damaged_weights_give_no_answer(damage):
    student = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    nn.init.constant_(student[1].bias, damage)
    with pytest.raises(InputError, match="answers NaN or infinity: its weights are damaged"):
        logits(student, white(3))


def test_levels_become_pixels_from_0_to_1():
    grey = torch.tensor([0, 51, 255], dtype=torch.uint8).view(3, 1, 1, 1)
    shares = logits(Brightness(), grey)[:, 1] / math.log(3)
    torch.testing.assert_close(shares, torch.tensor([0.0, 0.2, 1.0]))


def test_the_test_score_of_the_pool_is_that_of_the_student(trained):
    from cgl_ignite.engine.evaluate import pool_logits

    inputs = torch.randint(256, (50, 1, 8, 8), generator=torch.Generator().manual_seed(4), dtype=torch.uint8)
    targets = torch.arange(50) % 10
    together = pool_logits(trained.pool, trained.normaliser(inputs))
    for index in range(3):
        hits = (together[index].argmax(1) == targets).sum().item()
        measured = measure(trained.student(index), Examples(inputs, targets))
        assert measured == Measured(100 * hits / 50, measured.cross_entropy, 50)
