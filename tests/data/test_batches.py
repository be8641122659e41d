from __future__ import annotations

from collections import Counter
from itertools import islice

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

from cgl_ignite.data import (
    Batch,
    Batches,
    Examples,
    InputSpec,
    Normaliser,
    Subsets,
    disjoint,
    evaluation_batches,
    whole,
)
from cgl_ignite.data.augment import crop_flip
from tests.waiting import forbid_waiting

from .conftest import Numbered

SPEC = InputSpec("image", (1, 1, 2))
LEVELS = Normaliser(torch.zeros(1), torch.full((1,), 1 / 255))


def batches(
    examples: Examples,
    subsets: Subsets,
    batch_size: int,
    *,
    seed: int = 1,
    passes: int = 1,
    crop: bool = False,
    device: str = "cpu",
    balanced: bool = False,
) -> Batches:
    return Batches(
        examples,
        subsets,
        batch_size=batch_size,
        seed=seed,
        classes=10,
        augment=[crop_flip(SPEC, padding=1)] if crop else [],
        normaliser=LEVELS,
        device=device,
        passes_per_epoch=passes,
        balanced=balanced,
    )


def rows_of(batch: Batch) -> list[list[int]]:
    """The numbers of a batch's rows, group by group."""
    high, low = batch.inputs.flatten(1).round().long().unbind(1)
    return [part.tolist() for part in (high * 256 + low).split(batch.sizes)]


def same(one: Batch, other: Batch) -> bool:
    return one.inputs.equal(other.inputs) and one.targets.equal(other.targets) and one.sizes == other.sizes


@given(
    rows=st.integers(8, 60),
    students=st.integers(1, 4),
    batch_size=st.integers(2, 9),
    passes=st.integers(1, 3),
    redraw_every=st.integers(0, 2),
    start=st.integers(0, 120),
)
def test_a_stream_starts_at_any_iteration(
    numbered: Numbered,
    rows: int,
    students: int,
    batch_size: int,
    passes: int,
    redraw_every: int,
    start: int,
) -> None:
    examples = numbered(rows, 3)
    subsets = disjoint(examples.targets, students, 2, redraw_every=redraw_every)
    made = batches(examples, subsets, batch_size, passes=passes, crop=True)
    due = islice(made.stream(0), start, start + 3)
    assert all(same(*pair) for pair in zip(due, made.stream(start), strict=False))


def test_a_late_iteration_costs_no_replay(numbered: Numbered) -> None:
    made = batches(numbered(40, 2), whole(torch.zeros(40), 1, 1), 4)
    assert len(next(made.stream(10**15)).targets) == 4


@given(
    rows=st.integers(8, 80),
    students=st.integers(1, 4),
    batch_size=st.integers(2, 9),
    passes=st.integers(1, 3),
    epoch=st.integers(0, 5),
)
def test_an_epoch_goes_through_every_subset_but_single_row_tails(
    numbered: Numbered, rows: int, students: int, batch_size: int, passes: int, epoch: int
) -> None:
    examples = numbered(rows, 3)
    subsets = disjoint(examples.targets, students, 2, redraw_every=1)
    made = batches(examples, subsets, batch_size, passes=passes)
    seen: list[Counter[int]] = [Counter() for _ in range(students)]
    for batch in islice(made.stream(epoch * made.epoch_length), made.epoch_length):
        assert any(batch.sizes)
        assert 1 not in batch.sizes
        assert sum(batch.sizes) == len(batch.inputs) == len(batch.targets)
        for counter, numbers in zip(seen, rows_of(batch), strict=True):
            counter.update(numbers)
    for group, counter in zip(subsets.groups(epoch), seen, strict=True):
        dropped = passes if len(group) % batch_size == 1 else 0
        assert set(counter) <= set(group.tolist())
        assert max(counter.values()) <= passes
        assert counter.total() == passes * len(group) - dropped


def test_targets_belong_to_their_inputs(numbered: Numbered) -> None:
    made = batches(numbered(30, 7), whole(torch.zeros(30), 2, 1), 8)
    for batch in islice(made.stream(0), 8):
        assert batch.targets.tolist() == [number % 7 for number in rows_of(batch)[0]]


def test_a_group_without_rows_left_sits_out(numbered: Numbered) -> None:
    groups = (torch.arange(6), torch.arange(6, 11))
    subsets = Subsets(group_of=(0, 1), sizes=(6, 5), groups=lambda epoch: groups)
    made = batches(numbered(11, 2), subsets, 2)
    assert made.epoch_length == 3
    assert [batch.sizes for batch in islice(made.stream(0), 3)] == [(2, 2), (2, 2), (2, 0)]


@pytest.mark.parametrize(
    ("rows", "batch_size", "passes", "length"),
    [(64, 64, 1, 1), (65, 64, 1, 1), (66, 64, 1, 2), (128, 64, 3, 6), (2, 64, 1, 1)],
)
def test_epoch_length_counts_the_batches_that_are_made(
    numbered: Numbered, rows: int, batch_size: int, passes: int, length: int
) -> None:
    made = batches(numbered(rows, 2), whole(torch.zeros(rows), 1, 1), batch_size, passes=passes)
    assert made.epoch_length == length


def test_the_papers_cifar_epoch_has_88_iterations_of_8_times_64(numbered: Numbered) -> None:
    examples = numbered(45_000, 10)
    made = batches(examples, disjoint(examples.targets, 8, 1), 64)
    assert made.epoch_length == 88
    assert next(made.stream(0)).sizes == (64,) * 8
    assert next(made.stream(87)).sizes == (57,) * 8


def test_every_pass_epoch_and_seed_has_its_own_order(numbered: Numbered) -> None:
    examples, subsets = numbered(50, 2), whole(torch.zeros(50), 1, 1)
    orders = [
        rows_of(next(batches(examples, subsets, 50, seed=seed, passes=2).stream(i)))[0]
        for seed in (1, 2)
        for i in range(4)
    ]
    assert len({tuple(order) for order in orders}) == 8


def test_augmentation_is_addressed_by_the_iteration(numbered: Numbered) -> None:
    examples = Examples(torch.full((4, 1, 1, 2), 255, dtype=torch.uint8), torch.zeros(4).long())
    made = batches(examples, whole(examples.targets, 1, 1), 4, crop=True)
    drawn = [batch.inputs.flatten().tolist() for batch in islice(made.stream(0), 8)]
    assert len({tuple(inputs) for inputs in drawn}) > 1


def test_training_batches_are_contiguous_floats(numbered: Numbered) -> None:
    batch = next(batches(numbered(9, 2), whole(torch.zeros(9), 1, 1), 4, crop=True).stream(0))
    assert batch.inputs.dtype == torch.float32
    assert batch.inputs.is_contiguous()


def test_evaluation_goes_through_all_rows_in_order(numbered: Numbered) -> None:
    made = list(evaluation_batches(numbered(11, 3), LEVELS, 4, "cpu"))
    assert [batch.sizes for batch in made] == [(4,), (4,), (3,)]
    assert [number for batch in made for number in rows_of(batch)[0]] == list(range(11))
    assert torch.cat([batch.targets for batch in made]).tolist() == [n % 3 for n in range(11)]


@pytest.mark.gpu
def test_nothing_waits_for_the_device_and_batches_equal_those_of_the_cpu(numbered: Numbered) -> None:
    examples = numbered(500, 5)
    subsets = disjoint(examples.targets, 4, 1)
    on_cpu = batches(examples, subsets, 16, crop=True)
    on_device = batches(examples, subsets, 16, crop=True, device="cuda")
    next(on_device.stream(0))
    forbid_waiting(True)
    try:
        made = list(islice(on_device.stream(0), 20))
    finally:
        forbid_waiting(False)
    for here, there in zip(on_cpu.stream(0), made, strict=False):
        torch.testing.assert_close(there.inputs.cpu(), here.inputs)
        assert there.targets.cpu().equal(here.targets)


@pytest.mark.parametrize("start", [0, 3, 7, 12])
def test_balanced_draws_start_at_any_iteration_and_stay_within_their_sub_set(numbered: Numbered, start: int) -> None:
    """Classes of 30, 6 and 3 rows, two students: each draws 19 or 20 rows a pass, 6 or 7 of each class."""
    examples = numbered(39, 3)
    targets = torch.tensor([0] * 30 + [1] * 6 + [2] * 3)
    examples = Examples(examples.inputs, targets)
    subsets = disjoint(targets, 2, 1, stratified=True)
    made = batches(examples, subsets, 4, balanced=True)
    whole = list(islice(batches(examples, subsets, 4, balanced=True).stream(0), 15))
    assert all(map(same, islice(made.stream(start), 15 - start), whole[start:]))
    for g, own in enumerate(subsets.groups(0)):
        drawn = torch.tensor([row for batch in whole[: made.epoch_length] for row in rows_of(batch)[g]])
        assert set(drawn.tolist()) <= set(own.tolist())
        counts = targets[drawn].bincount(minlength=3)
        assert counts.sum() == subsets.sizes[g] and counts.max() - counts.min() <= 1
