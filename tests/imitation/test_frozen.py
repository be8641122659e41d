"""Frozen teachers beside imitated students."""

from __future__ import annotations

import pytest
import torch

from cgl_ignite.imitation import with_frozen

NOBODY, ONE, TWO = [False, False], [True, False], [True, True]


def test_students_and_teachers_count_alike() -> None:
    """Three learners that imitate nobody, one and two students; each has two teachers on its own batch."""
    weights = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5, 0.5]])
    logits = torch.arange(2.0).view(2, 1, 1)
    frozen = [torch.tensor([[[10.0]], [[20.0]]]), torch.tensor([[[30.0]], [[50.0]]])]
    added, together = with_frozen(weights, logits, torch.tensor([NOBODY, ONE, TWO]), frozen, [0, 1, 0])
    assert together.flatten().tolist() == [0, 1, 10, 20, 30, 50]
    expected = [[0, 0, 1 / 2, 1 / 2, 0, 0], [1 / 3, 0, 0, 0, 1 / 3, 1 / 3], [1 / 4, 1 / 4, 1 / 4, 1 / 4, 0, 0]]
    torch.testing.assert_close(added, torch.tensor(expected))


def test_weights_of_single_samples_keep_their_shares() -> None:
    """A learner that imitates two students, with weights that differ from sample to sample, and one teacher."""
    weights = torch.tensor([[[0.25, 1.0], [0.75, 0.0]]])
    frozen = [torch.zeros(1, 2, 3)]
    added, together = with_frozen(weights, torch.zeros(2, 2, 3), torch.tensor([TWO]), frozen, [0])
    assert together.shape == (3, 2, 3)
    assert added.sum(dim=1).flatten().tolist() == pytest.approx([1.0, 1.0])
    assert added[0, :, 0].tolist() == pytest.approx([2 / 3 * 0.25, 2 / 3 * 0.75, 1 / 3])
