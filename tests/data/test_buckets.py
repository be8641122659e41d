from __future__ import annotations

from itertools import islice, pairwise
from statistics import fmean

import hypothesis.strategies as st
import torch
from hypothesis import given

from cgl_ignite.data import (  # fmt: skip
    Batch,
    Batches,
    Examples,
    InputSpec,
    Ragged,
    Subsets,
    TokenIds,
    disjoint,
    evaluation_batches,
    none,
    whole,
)
from cgl_ignite.data.buckets import POOL, by_length
from cgl_ignite.seeding import stream

SPEC = InputSpec("text", (512,), vocabulary=9)


def examples(lengths: list[int], width: int | None = None) -> Examples:
    """Rows of threes; the class of a row is its number."""
    sizes = torch.tensor(lengths)
    tokens = torch.full((1 + sum(lengths),), 3, dtype=torch.uint8)
    tokens[0] = 0
    return Examples(Ragged(tokens, 1 + sizes.cumsum(0) - sizes, sizes, width), torch.arange(len(lengths)))


def batches(rows: Examples, subsets: Subsets, batch_size: int, seed: int = 1) -> Batches:
    return Batches(
        rows,
        subsets,
        batch_size=batch_size,
        seed=seed,
        augment=none(SPEC),
        normaliser=TokenIds(),
        device="cpu",
    )


def same(one: Batch, other: Batch) -> bool:
    return one.inputs.equal(other.inputs) and one.targets.equal(other.targets) and one.sizes == other.sizes


@given(st.lists(st.integers(1, 30), min_size=8, max_size=90), st.integers(1, 3), st.integers(2, 5), st.integers(0, 4))
def test_an_epoch_is_a_permutation_of_every_subset_but_single_rows(
    lengths: list[int], students: int, batch_size: int, epoch: int
) -> None:
    rows = examples(lengths)
    subsets = disjoint(rows.targets, students, 1)
    made = batches(rows, subsets, batch_size)
    seen: list[list[int]] = [[] for _ in range(students)]
    for batch in islice(made.stream(epoch * made.epoch_length), made.epoch_length):
        assert batch.inputs.shape == (sum(batch.sizes), max(lengths[row] for row in batch.targets.tolist()))
        assert batch.inputs.count_nonzero(1).tolist() == [lengths[row] for row in batch.targets.tolist()]
        for numbers, part in zip(seen, batch.targets.split(batch.sizes), strict=True):
            numbers.extend(part.tolist())
    for numbers, group in zip(seen, subsets.groups(epoch), strict=True):
        assert len(numbers) == len(set(numbers)) == len(group) - (len(group) % batch_size == 1)
        assert set(numbers) <= set(group.tolist())


@given(st.integers(0, 400), st.integers(0, 3))
def test_a_stream_starts_at_any_iteration(start: int, seed: int) -> None:
    rows = examples([1 + (7 * n) % 31 for n in range(500)])
    made = batches(rows, disjoint(rows.targets, 2, 1), 4, seed)
    assert made.epoch_length > POOL
    due = islice(made.stream(0), start, start + 3)
    assert all(same(*pair) for pair in zip(due, made.stream(start), strict=False))


def test_rows_of_similar_length_meet_in_all_groups() -> None:
    generator = torch.Generator().manual_seed(1)
    lengths = torch.randint(1, 500, (4000,), generator=generator).tolist()
    rows = examples(lengths)
    made = batches(rows, disjoint(rows.targets, 4, 1), 10)
    epoch = list(islice(made.stream(0), made.epoch_length))
    held = [batch.inputs.count_nonzero().item() / batch.inputs.numel() for batch in epoch]
    assert fmean(held) > 0.85
    at_random = examples(lengths, 512)
    plain = batches(at_random, disjoint(at_random.targets, 4, 1), 10)
    assert next(plain.stream(0)).inputs.shape == (40, 512)


def test_lengths_come_in_no_order_and_company_changes() -> None:
    rows = examples([1 + n % 100 for n in range(3000)])
    made = batches(rows, whole(rows.targets, 1, 1), 10)
    first, second = (list(islice(made.stream(i * made.epoch_length), made.epoch_length)) for i in range(2))
    widths = [batch.inputs.shape[1] for batch in first]
    falls = sum(a > b for a, b in pairwise(widths))
    assert 0.4 < falls / len(widths) < 0.6
    company = {row: set(batch.targets.tolist()) for batch in first for row in batch.targets.tolist()}
    kept = fmean(
        len(company[row] & set(batch.targets.tolist())) - 1 for batch in second for row in batch.targets.tolist()
    )
    assert kept < 2


def test_a_short_batch_may_hold_any_lengths() -> None:
    """The last, smaller iteration takes its rows from the middle as well as from the ends."""
    lengths = torch.arange(23)
    last = [
        by_length([torch.randperm(23)], [(5,)] * 4 + [(3,)], lengths, stream(seed, "example"))[-1].tolist()
        for seed in range(30)
    ]
    assert {min(rows) for rows in last} == {0, 5, 10, 15, 20}


def test_evaluation_goes_from_the_shortest_to_the_longest() -> None:
    made = list(evaluation_batches(examples([5, 1, 4, 2, 3]), TokenIds(), 2, "cpu"))
    assert [batch.targets.tolist() for batch in made] == [[1, 3], [4, 2], [0]]
    assert [batch.inputs.shape[1] for batch in made] == [2, 4, 5]
    full = list(evaluation_batches(examples([5, 1, 4, 2, 3], 6), TokenIds(), 2, "cpu"))
    assert [batch.targets.tolist() for batch in full] == [[0, 1], [2, 3], [4]]
