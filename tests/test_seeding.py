from __future__ import annotations

import hashlib

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

from cgl_ignite.seeding import address, global_stream, stream

positions = st.lists(st.integers(0, 2**40), max_size=4).map(tuple)
purposes = st.sampled_from(["paths", "shuffle", "sub-groups", "dropout"])
addresses = st.tuples(st.integers(0, 2**32), purposes, positions)


def test_an_address_is_the_beginning_of_a_hash_of_its_text() -> None:
    """Runs of other versions and machines draw the same only as long as this stays."""
    digest = hashlib.blake2b(b"1/shuffle/3/0", digest_size=8).hexdigest()
    assert address(1, "shuffle", 3, 0) == int(digest, 16) // 2
    assert address(1, "paths") == 9_176_487_085_394_440_168


@given(addresses, addresses)
def test_different_addresses_give_different_seeds(first: tuple, second: tuple) -> None:
    (seed, purpose, position), (seed_2, purpose_2, position_2) = first, second
    same = address(seed, purpose, *position) == address(seed_2, purpose_2, *position_2)
    assert same == (first == second)


@given(addresses)
def test_a_seed_fits_63_bits(where: tuple) -> None:
    seed, purpose, position = where
    assert 0 <= address(seed, purpose, *position) < 2**63


def test_neighbouring_positions_are_not_confused() -> None:
    assert address(1, "shuffle", 1, 23) != address(1, "shuffle", 12, 3)
    assert address(1, "shuffle", 1) != address(1, "shuffle", 1, 0)
    assert address(11, "shuffle") != address(1, "shuffle", 1)


def test_a_stream_always_draws_the_same() -> None:
    first, second = (torch.rand(5, generator=stream(3, "shuffle", 2, 1)) for _ in range(2))
    assert torch.equal(first, second)


def test_streams_of_neighbouring_addresses_are_independent() -> None:
    draws = torch.stack([torch.rand(2000, generator=stream(1, "augment", index)) for index in range(20)])
    correlations = torch.corrcoef(draws).fill_diagonal_(0)
    assert correlations.abs().max() < 5 / 2000**0.5
    assert abs(draws.mean() - 0.5) < 0.01


def test_a_stream_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    torch.rand(3, generator=stream(1, "paths"))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_stream_lives_on_the_device_it_is_asked_for() -> None:
    assert stream(1, "dropout").device == torch.device("cpu")
    assert stream(1, "dropout", device="cpu").initial_seed() == address(1, "dropout")


def test_the_global_generator_is_lent_and_given_back() -> None:
    before = torch.get_rng_state()
    with global_stream(7, "initialisation", 2, 1):
        drawn = torch.rand(4)
        torch.rand(1)
    assert torch.equal(drawn, torch.rand(4, generator=stream(7, "initialisation", 2, 1)))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_global_generator_comes_back_after_an_error() -> None:
    before = torch.get_rng_state()
    with pytest.raises(TypeError), global_stream(7, "initialisation"):
        len(torch.rand(1).item())
    assert torch.equal(torch.get_rng_state(), before)
