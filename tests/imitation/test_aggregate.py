from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cgl_ignite.imitation import View
from cgl_ignite.imitation.aggregate import Mean, imitation_weights
from cgl_ignite.imitation.choose import bernoulli

CHOSEN = torch.tensor([[0, 1, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 1, 0]]).bool()


@st.composite
def tables(draw) -> Tensor:
    students = draw(st.integers(1, 8))
    row = st.lists(st.booleans(), min_size=students, max_size=students)
    return torch.tensor(draw(st.lists(row, min_size=students, max_size=students)))


@given(tables())
def test_rows_sum_to_one_or_to_nothing(imitated: Tensor) -> None:
    weights = imitation_weights(imitated)
    assert weights.dtype == torch.float64
    torch.testing.assert_close(weights.sum(dim=1), imitated.any(dim=1).double())
    assert torch.equal(weights > 0, imitated)


def test_those_drawn_count_the_same() -> None:
    expected = [[0, 1 / 2, 1 / 2, 0], [0, 0, 0, 0], [1, 0, 0, 0], [1 / 3, 1 / 3, 1 / 3, 0]]
    torch.testing.assert_close(imitation_weights(CHOSEN), torch.tensor(expected, dtype=torch.float64))


@given(tables(), st.floats(0.1, 8))
def test_a_number_as_divisor(imitated: Tensor, divisor: float) -> None:
    """Rows sum to the number drawn over the divisor."""
    weights = imitation_weights(imitated, divisor)
    torch.testing.assert_close(weights, imitated.double() / divisor)


@pytest.mark.parametrize(("divisor", "number"), [("drawn", 3), ("expected", 1.75), ("printed", 2)])
def test_three_readings_of_h(divisor: str, number: float) -> None:
    """Student 0 of eight imitates 1, 2 and 3; p = 0.25, so that p (K - 1) = 1.75 and K p = 2."""
    imitated = torch.zeros(1, 8, dtype=torch.bool)
    imitated[0, 1:4] = True
    members = torch.eye(8).unsqueeze(0)
    aggregator = Mean(8, bernoulli(8, probability=0.25), View(torch.flatten, None, 1), divisor=divisor)
    outputs = SimpleNamespace(
        imitated=imitated, spread=lambda weights: torch.einsum("sk,sku->su", weights, members.double())
    )
    torch.testing.assert_close(aggregator(outputs), imitated.double() / number)


def test_where_nobody_can_be_imitated_all_weights_are_zero() -> None:
    nobody = torch.zeros(3, 3, dtype=torch.bool)
    assert torch.equal(imitation_weights(nobody, 0.0), nobody.double())
