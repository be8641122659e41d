from __future__ import annotations

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

from cgl_ignite.data import Examples, PadTokens, Ragged

ROWS = st.lists(st.lists(st.integers(1, 200), max_size=9), min_size=1, max_size=12)


def ragged(rows: list[list[int]], width: int | None = None) -> Ragged:
    """Rows behind a padding token."""
    lengths = torch.tensor([len(row) for row in rows])
    tokens = torch.tensor([0, *(token for row in rows for token in row)], dtype=torch.uint8)
    return Ragged(tokens, 1 + lengths.cumsum(0) - lengths, lengths, width)


@given(ROWS, st.data())
def test_chosen_rows_are_padded_to_the_longest_of_them(rows: list[list[int]], data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1))
    padded = ragged(rows).index_select(0, torch.tensor(chosen)).padded()
    width = max(1, *(len(rows[row]) for row in chosen))
    assert padded.tolist() == [rows[row] + [0] * (width - len(rows[row])) for row in chosen]
    assert padded.dtype == torch.int64


@given(ROWS)
def test_a_width_pads_all_batches_alike(rows: list[list[int]]) -> None:
    assert ragged(rows, 9).padded().tolist() == [row + [0] * (9 - len(row)) for row in rows]


@given(ROWS, st.integers(1, 5))
def test_parts_are_rows_in_order(rows: list[list[int]], size: int) -> None:
    parts = ragged(rows, 9).split(size)
    assert torch.cat([part.padded() for part in parts]).equal(ragged(rows, 9).padded())
    assert [len(part) for part in parts[:-1]] == [size] * (len(parts) - 1)


@given(ROWS, st.data())
def test_packed_rows_hold_their_own_tokens_only(rows: list[list[int]], data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1)))
    packed = ragged(rows, 9).index_select(0, torch.tensor(chosen, dtype=torch.int64)).packed()
    assert packed.tokens.tolist() == [0, *(token for row in chosen for token in rows[row])]
    assert packed.padded().tolist() == [rows[row] + [0] * (9 - len(rows[row])) for row in chosen]
    assert packed.tokens.dtype == torch.uint8


def test_lengths_matter_where_batches_differ_in_width() -> None:
    rows = [[1, 2], [3]]
    targets = torch.zeros(2)
    assert Examples(ragged(rows), targets).lengths.tolist() == [2, 1]
    assert Examples(ragged(rows, 4), targets).lengths is None
    assert Examples(torch.zeros(2, 1), targets).lengths is None
    with pytest.raises(TypeError, match="not one tensor"):
        _ = Examples(ragged(rows), targets).dense


def test_token_ids_are_handed_on_as_integers() -> None:
    assert PadTokens()(ragged([[1], [2, 3]])).tolist() == [[1, 0], [2, 3]]
    ids = PadTokens()(torch.tensor([[200, 0]], dtype=torch.uint8))
    assert ids.tolist() == [[200, 0]]
    assert ids.dtype == torch.int64


def test_another_device_gets_the_chosen_rows_only() -> None:
    """The device without memory stands for any other."""
    rows = ragged([[1, 2, 3], [4], [], [5, 6]]).index_select(0, torch.tensor([3, 1, 2]))
    moved = rows.to("meta")
    assert moved.tokens.shape == (1 + 2 + 1 + 0,)
    assert moved.starts.tolist() == [1, 3, 4]
    assert rows.to("cpu") is rows
    assert rows.index_select(0, torch.tensor([], dtype=torch.int64)).to("meta").tokens.shape == (1,)


@pytest.mark.gpu
def test_padding_does_not_wait_for_the_device() -> None:
    rows = ragged([[n % 200 + 1] * (n % 7) for n in range(500)])
    chosen = torch.randperm(500)[:100]
    there = rows.index_select(0, chosen).to("cuda")
    there.padded()
    torch.cuda.set_sync_debug_mode("error")
    try:
        made = there.index_select(0, torch.arange(50)).padded()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert made.cpu().equal(rows.index_select(0, chosen[:50]).padded())
