"""What all rows of a comparison have the same amount of, as it may be written."""

from __future__ import annotations

import pytest

from cgl_ignite.config.equal import fixed_cost, read_equal


@pytest.mark.parametrize(
    ("text", "work"),
    [("epochs", None), ("steps", None), ("cost", None), ("cost=2.5T", 2.5e12), ("cost=1e9", 1e9), ("cost=40 M", 4e7)],
)
def test_what_is_given(text, work):
    assert fixed_cost(read_equal(text)) == work


def test_one_cost_is_written_in_one_way():
    assert read_equal("cost=10500G") == read_equal("cost=10.5T") == read_equal(read_equal("cost = 1.05e13"))


@pytest.mark.parametrize(
    "text", ["", "time", "steps=3", "cost=", "cost=0", "cost=-1", "cost=1t", "cost=nan", "cost=1e9T3"]
)
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match=r"must be epochs, steps, cost, or cost=MULTIPLY_ADDS such as cost=2.5T, not"):
        read_equal(text)
