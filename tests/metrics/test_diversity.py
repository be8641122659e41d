from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cgl_ignite.metrics.diversity import mean_diversity, pairwise_diversity

LABELS = torch.zeros(0)


def certain(*classes: int) -> torch.Tensor:
    """Logits of students that are sure of one class each, on two samples."""
    return torch.eye(4)[list(classes)].mul(1e3).unsqueeze(1).expand(-1, 2, -1)


def test_identical_students_do_not_differ() -> None:
    logits = torch.randn(1, 5, 7).expand(3, -1, -1)
    assert not pairwise_diversity(logits, LABELS).any()


def test_students_sure_of_different_classes_are_as_far_apart_as_can_be() -> None:
    pairwise = pairwise_diversity(certain(0, 1, 2), LABELS)
    assert pairwise.shape == (2, 3, 3)
    torch.testing.assert_close(pairwise, math.sqrt(2) * (1 - torch.eye(3)).expand(2, -1, -1))
    assert mean_diversity(pairwise.mean(dim=0)) == pytest.approx(math.sqrt(2))


def test_pairs_count_once_and_nobody_with_itself() -> None:
    """Two students agree, the third differs from both: two of three pairs are sqrt(2) apart."""
    assert mean_diversity(pairwise_diversity(certain(0, 0, 3), LABELS).mean(dim=0)) == pytest.approx(
        2 * math.sqrt(2) / 3
    )


@given(st.integers(2, 5), st.integers(1, 6), st.integers(2, 8), st.integers(0, 999))
def test_against_numpy(students: int, rows: int, classes: int, seed: int) -> None:
    logits = torch.randn(students, rows, classes, generator=torch.Generator().manual_seed(seed)).double() * 3
    found = pairwise_diversity(logits, LABELS)
    raised = np.exp(logits.numpy())
    probabilities = raised / raised.sum(axis=2, keepdims=True)
    distances = {
        (i, j): np.sqrt(((probabilities[i] - probabilities[j]) ** 2).sum(axis=1))
        for i, j in combinations(range(students), 2)
    }
    for (i, j), expected in distances.items():
        np.testing.assert_allclose(found[:, i, j].numpy(), expected, atol=1e-12)
        np.testing.assert_allclose(found[:, j, i].numpy(), expected, atol=1e-12)
    mean = mean_diversity(found.mean(dim=0))
    assert mean == pytest.approx(np.mean([distance.mean() for distance in distances.values()]))
    assert 0 <= mean <= math.sqrt(2)


def test_a_single_student_has_no_diversity() -> None:
    assert mean_diversity(pairwise_diversity(torch.randn(1, 3, 4), LABELS).mean(dim=0)) is None
