"""Unequal classes: weights against their formula, draws counted class by class and row by row."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cgl_ignite.data.balance import class_weights, draw_balanced, refuse_missing_classes
from cgl_ignite.data.subsets import disjoint
from cgl_ignite.errors import InputError
from cgl_ignite.seeding import stream

UNEQUAL = torch.tensor([0] * 500 + [1] * 50 + [2] * 5)


def test_weights_of_the_effective_number() -> None:
    """E(n) = (1 - 0.9^n) / 0.1 for 1, 2 and 10 rows is 1, 1.9 and 6.513; the mean weight of the 13 rows is 1."""
    targets = torch.tensor([0] + [1] * 2 + [2] * 10)
    inverse = torch.tensor([1 / 1, 1 / 1.9, 1 / 6.5132156])
    expected = inverse * 13 / (inverse * torch.tensor([1, 2, 10])).sum()
    torch.testing.assert_close(class_weights(targets, 3, 0.9), expected)
    assert class_weights(targets, 3, 0.9)[targets].mean().item() == pytest.approx(1)


def test_the_extremes_of_beta() -> None:
    assert class_weights(UNEQUAL, 3, 0.0).tolist() == [1, 1, 1]
    inverse = class_weights(UNEQUAL, 3, 1 - 1e-9)
    assert (inverse / inverse[0]).tolist() == pytest.approx([1, 10, 100], rel=1e-3)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=8), st.integers(0, 1000))
def test_every_class_is_drawn_equally_often_and_every_row_of_a_class_too(counts: list[int], seed: int) -> None:
    targets = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    rows = 1000 + torch.arange(len(targets))
    drawn = draw_balanced(rows, targets, stream(seed, "shuffle"))
    assert len(drawn) == len(rows)
    often = (drawn - 1000).bincount(minlength=len(rows))
    of_class = torch.stack([often[targets == one].sum() for one in range(len(counts))])
    assert of_class.max() - of_class.min() <= 1
    for one in range(len(counts)):
        own = often[targets == one]
        assert own.max() - own.min() <= 1


def test_draws_have_an_address() -> None:
    rows = torch.arange(len(UNEQUAL))
    one, same, other = (draw_balanced(rows, UNEQUAL, stream(seed, "shuffle")) for seed in (1, 1, 2))
    assert one.equal(same)
    assert not one.equal(other)


def test_a_class_without_rows_is_one_message() -> None:
    refuse_missing_classes(UNEQUAL, ["a", "b", "c"])
    with pytest.raises(InputError, match=r"data\.balance: the training part has no row of 'd'"):
        refuse_missing_classes(UNEQUAL, ["a", "b", "c", "d"])


def test_a_sub_set_without_rows_of_a_class_is_one_message() -> None:
    """Five rows of the rarest class for eight students."""
    subsets = disjoint(UNEQUAL, 8, 1, stratified=True)
    with pytest.raises(InputError, match=r"the sub-set of student \d has no row of 'c'; set method.subsets.stratified"):
        refuse_missing_classes(UNEQUAL, ["a", "b", "c"], subsets)
    refuse_missing_classes(UNEQUAL, ["a", "b", "c"], disjoint(UNEQUAL, 5, 1, stratified=True))
