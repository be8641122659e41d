from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cgl_ignite.imitation.weigh import imitation_weights

CHOSEN = torch.tensor([[0, 1, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 1, 0]]).bool()


@st.composite
def tables(draw) -> Tensor:
    students = draw(st.integers(1, 8))
    row = st.lists(st.booleans(), min_size=students, max_size=students)
    return torch.tensor(draw(st.lists(row, min_size=students, max_size=students)))


@given(tables())
def test_rows_sum_to_one_or_to_nothing(imitated: Tensor) -> None:
    weights = imitation_weights(imitated, "drawn", 1.0)
    assert weights.dtype == torch.float64
    torch.testing.assert_close(weights.sum(dim=1), imitated.any(dim=1).double())
    assert torch.equal(weights > 0, imitated)


def test_those_drawn_count_the_same() -> None:
    expected = [[0, 1 / 2, 1 / 2, 0], [0, 0, 0, 0], [1, 0, 0, 0], [1 / 3, 1 / 3, 1 / 3, 0]]
    torch.testing.assert_close(imitation_weights(CHOSEN, "drawn", 99.0), torch.tensor(expected, dtype=torch.float64))


@given(tables(), st.floats(0.1, 8))
def test_the_expected_number_as_divisor(imitated: Tensor, expected: float) -> None:
    """Eq. 5 as it is printed: rows sum to the number drawn over the expected number."""
    weights = imitation_weights(imitated, "expected", expected)
    torch.testing.assert_close(weights, imitated.double() / expected)


def test_where_nobody_can_be_imitated_all_weights_are_zero() -> None:
    nobody = torch.zeros(3, 3, dtype=torch.bool)
    assert torch.equal(imitation_weights(nobody, "expected", 0.0), nobody.double())
