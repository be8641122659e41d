from __future__ import annotations

from itertools import combinations, islice, pairwise

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

from cgl_ignite.data import (  # fmt: skip
    Batch,
    Batches,
    Examples,
    InputSpec,
    PadTokens,
    Ragged,
    Subsets,
    disjoint,
    evaluation_batches,
    whole,
)
from cgl_ignite.data.text.buckets import by_length
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
        classes=len(rows),
        normaliser=PadTokens(),
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
    due = islice(made.stream(0), start, start + 3)
    assert all(same(*pair) for pair in zip(due, made.stream(start), strict=False))


def review_lengths(count: int) -> list[int]:
    """Lengths as skewed as those of film reviews in tokens, cut off at 512."""
    generator = torch.Generator().manual_seed(1)
    normal = torch.randn(count, generator=generator)
    return (5.4 + 0.65 * normal).exp().long().clamp(10, 512).tolist()


def padding(made: Batches) -> float:
    """Tokens of an epoch with padding, for each that is none."""
    epoch = list(islice(made.stream(0), made.epoch_length))
    return sum(batch.inputs.numel() for batch in epoch) / sum(batch.inputs.count_nonzero().item() for batch in epoch)


def test_rows_of_similar_length_meet_in_all_groups() -> None:
    lengths = review_lengths(6400)
    rows, at_random = examples(lengths), examples(lengths, 512)
    for students in (1, 4):
        made = batches(rows, disjoint(rows.targets, students, 1), 16 // students)
        assert padding(made) < 1.1
    assert next(batches(at_random, disjoint(at_random.targets, 4, 1), 4).stream(0)).inputs.shape == (16, 512)


def companions(epoch: list[Batch]) -> set[tuple[int, int]]:
    """List the pairs of rows of one group that are read together."""
    return {
        pair
        for batch in epoch
        for part in batch.targets.split(batch.sizes)
        for pair in combinations(sorted(part.tolist()), 2)
    }


@pytest.mark.parametrize(
    ("rows", "students"),
    [(4000, 1), (4000, 5), (4000, 8), (4000, 16), (1600, 1), (1600, 8), (750, 1), (300, 1), (300, 4), (60, 1)],
)
def test_companions_are_hardly_ever_the_same_in_the_next_epoch(rows: int, students: int) -> None:
    """About as rarely as with plain shuffling, where a companion comes again with (B - 1) / (n - 1), or in 5 %."""
    made = examples(review_lengths(rows))
    stream_of = batches(made, disjoint(made.targets, students, 1), 10)
    epochs = [list(islice(stream_of.stream(i * stream_of.epoch_length), stream_of.epoch_length)) for i in range(4)]
    pairs = [companions(epoch) for epoch in epochs]
    again = sum(len(one & other) for one, other in pairwise(pairs)) / sum(map(len, pairs[1:]))
    uniform = 9 / (rows / students - 1)
    assert uniform / 1.5 < again < max(0.05, 1.5 * uniform)


def test_lengths_come_in_no_order() -> None:
    rows = examples([1 + n % 100 for n in range(3000)])
    made = batches(rows, whole(rows.targets, 1, 1), 10)
    widths = [batch.inputs.shape[1] for batch in islice(made.stream(0), made.epoch_length)]
    falls = sum(a > b for a, b in pairwise(widths))
    assert 0.4 < falls / len(widths) < 0.6


def test_a_short_batch_may_hold_any_lengths() -> None:
    """The last, smaller iteration takes its rows from the middle as well as from the ends."""
    sizes = [(2,)] * 100 + [(1,)]
    last = [
        by_length([torch.randperm(201)], sizes, torch.arange(201), stream(seed, "example"))[-1].item()
        for seed in range(40)
    ]
    assert min(last) < 40
    assert max(last) > 160
    assert any(80 < row < 120 for row in last)


def test_any_row_may_be_the_one_left_out() -> None:
    """Nine rows in batches of four: the last, which would be alone, is not always the longest."""
    left = {
        (
            set(range(9))
            - set(
                torch.cat(
                    by_length(
                        [torch.randperm(9, generator=stream(seed, "shuffle"))],
                        [(4,)] * 2,
                        torch.arange(9),
                        stream(seed, "example"),
                    )
                ).tolist()
            )
        ).pop()
        for seed in range(60)
    }
    assert left == set(range(9))


def test_evaluation_goes_from_the_shortest_to_the_longest() -> None:
    made = list(evaluation_batches(examples([5, 1, 4, 2, 3]), PadTokens(), 2, "cpu"))
    assert [batch.targets.tolist() for batch in made] == [[1, 3], [4, 2], [0]]
    assert [batch.inputs.shape[1] for batch in made] == [2, 4, 5]
    full = list(evaluation_batches(examples([5, 1, 4, 2, 3], 6), PadTokens(), 2, "cpu"))
    assert [batch.targets.tolist() for batch in full] == [[0, 1], [2, 3], [4]]
