"""Hashes of rows against comparing each row with each."""

from __future__ import annotations

import pyarrow as pa
import pytest
import torch

from cgl_ignite.data.hashing import BLANK, hash_rows, hash_texts


@pytest.mark.parametrize("shape", [(1,), (7,), (8,), (3, 5, 5), (1, 600, 500)])
def test_rows_have_one_hash_exactly_if_they_are_equal(shape: tuple[int, ...]) -> None:
    rows = torch.randint(0, 3, (40, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    rows[21:30] = rows[3:12]
    equal = (rows.flatten(1).unsqueeze(1) == rows.flatten(1)).all(2)
    hashes = hash_rows(rows)
    assert hashes.shape == (40,) and hashes.dtype == torch.int64
    assert torch.equal(hashes.unsqueeze(1) == hashes, equal)


def test_masks_that_differ_in_the_highest_bits_of_their_words_are_told_apart() -> None:
    masks = torch.zeros(256, 64, dtype=torch.uint8)
    for bit in range(8):
        masks[:, 8 * bit + 7] = 128 * ((torch.arange(256) >> bit) & 1)
    assert len(hash_rows(masks).unique()) == 256


def test_the_hash_does_not_depend_on_the_layout_in_memory_or_on_the_other_rows() -> None:
    rows = torch.arange(240, dtype=torch.uint8).view(10, 4, 6)
    assert torch.equal(hash_rows(rows.transpose(1, 2)), hash_rows(rows.transpose(1, 2).contiguous()))
    assert torch.equal(hash_rows(rows)[3:5], hash_rows(rows[3:5]))
    assert hash_rows(rows[:0]).tolist() == []


def test_texts_have_one_hash_exactly_if_they_differ_in_nothing_but_white_space_at_their_ends() -> None:
    texts = pa.array(["good", " good\n", "go od", "", "\t \N{IDEOGRAPHIC SPACE}", "é", "e"])
    first, again, other, empty, white, accent, plain = hash_texts(texts).tolist()
    assert first == again
    assert empty == white == BLANK
    assert len({first, other, empty, accent, plain}) == 5
    assert hash_texts(texts[2:4]).tolist() == [other, empty]
    assert hash_texts(texts[:0]).tolist() == []
