"""Linear CKA: equal and rotated representations, independent ones, and a plain reading of the formula."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cgl_ignite.analysis.similarity import alignments, gram_matrix
from cgl_ignite.metrics.diversity import mean_of_pairs
from cgl_ignite.seeding import stream


def features(rows: int, width: int, number: int) -> Tensor:
    return torch.randn(rows, width, generator=stream(7, "features", number), dtype=torch.float64)


def cka(first: Tensor, second: Tensor) -> float:
    return alignments([gram_matrix(first), gram_matrix(second)])[0, 1].item()


def hsic(K: Tensor, L: Tensor) -> float:
    """The unbiased estimate of HSIC, as Song et al. (2012) write it (their Eq. 5)."""
    n, one = len(K), torch.ones(len(K), dtype=torch.float64)
    K, L = K - K.diagonal().diag(), L - L.diagonal().diag()
    first = (K @ L).trace()
    second = (one @ K @ one) * (one @ L @ one) / ((n - 1) * (n - 2))
    third = 2 / (n - 2) * (one @ K @ L @ one)
    return float((first + second - third) / (n * (n - 3)))


def test_equal_representations_have_1() -> None:
    one = features(30, 12, 0)
    assert cka(one, one) == pytest.approx(1, abs=1e-12)


def test_independent_representations_are_near_0_even_with_more_features_than_rows() -> None:
    found = [cka(features(100, 400, 2 * pair), features(100, 400, 2 * pair + 1)) for pair in range(20)]
    assert abs(sum(found) / 20) < 0.01
    assert max(map(abs, found)) < 0.06


def test_rotations_shifts_and_scales_change_nothing() -> None:
    one, other = features(40, 10, 0), features(40, 10, 1) + features(40, 10, 0)
    rotation = torch.linalg.qr(features(10, 10, 2)).Q
    assert cka(one @ rotation, other) == pytest.approx(cka(one, other), abs=1e-12)
    assert cka(3 * one + 5, other) == pytest.approx(cka(one, other), abs=1e-12)
    assert 0.2 < cka(one, other) < 0.9


def test_the_formula_of_song_et_al() -> None:
    one, other = features(12, 5, 0), features(12, 3, 1)
    K, L = gram_matrix(one), gram_matrix(other)
    assert cka(one, other) == pytest.approx(hsic(K, L) / (hsic(K, K) * hsic(L, L)) ** 0.5, abs=1e-12)


def test_a_representation_that_does_not_vary_has_none() -> None:
    found = alignments([gram_matrix(torch.ones(8, 3)), gram_matrix(features(8, 3, 0))])
    assert found[0].isnan().all()
    assert found[1, 1] == pytest.approx(1)


def test_maps_of_features_count_as_flat_vectors() -> None:
    one = features(10, 12, 0)
    assert torch.equal(gram_matrix(one.view(10, 3, 2, 2)), gram_matrix(one))


def test_pairs_are_unordered_and_leave_out_the_diagonal() -> None:
    assert mean_of_pairs(torch.tensor([[1.0, 0.2, 0.3], [0.2, 1.0, 0.7], [0.3, 0.7, 1.0]])) == pytest.approx(0.4)
