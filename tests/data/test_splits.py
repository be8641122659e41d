from __future__ import annotations

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

from cgl_ignite.data import DataSource, Examples, InputSpec, Splits, choose_stratified, prepare, rows_held_out
from cgl_ignite.errors import InputError
from cgl_ignite.seeding import stream

from .conftest import Numbered

SPEC = InputSpec("image", (1, 1, 2))


def numbers(examples: Examples) -> list[int]:
    high, low = examples.inputs.flatten(1).long().unbind(1)
    return (high * 256 + low).tolist()


def split(make: Numbered, rows: int, holdout: float, limit: int | None = None, seed: int = 1) -> Splits:
    source = DataSource(make(rows, 10), lambda: make(rows // 2, 10), tuple("0123456789"), SPEC)
    return prepare(source, holdout=holdout, limit=limit, seed=seed)


@given(rows=st.integers(20, 400), share=st.floats(0.05, 0.9), limited=st.booleans(), seed=st.integers(0, 9))
def test_train_and_holdout_are_disjoint_and_all_there_is(
    numbered: Numbered, rows: int, share: float, limited: bool, seed: int
) -> None:
    limit = rows // 2 if limited else None
    used = limit or rows
    holdout = max(1, int(share * used))
    parts = split(numbered, rows, holdout, limit, seed)
    train, held = set(numbers(parts.train)), set(numbers(parts.holdout))
    assert len(parts.holdout) == len(held) == holdout
    assert len(parts.train) == len(train) == used - holdout
    assert not train & held
    assert train | held <= set(range(rows))
    assert parts.train.targets.tolist() == [n % 10 for n in numbers(parts.train)]


@pytest.mark.parametrize(("share", "rows", "held_out"), [(0.1, 200, 20), (0.25, 10, 2), (0.001, 50, 1)])
def test_the_holdout_may_be_a_share(numbered: Numbered, share: float, rows: int, held_out: int) -> None:
    parts = split(numbered, rows, share)
    assert (len(parts.holdout), len(parts.train)) == (held_out, rows - held_out)


def test_a_share_is_one_of_the_limited_rows(numbered: Numbered) -> None:
    assert len(split(numbered, 200, 0.1, limit=50).holdout) == 5


@pytest.mark.parametrize(
    ("limit", "test_limit", "rows"), [(50, None, 50), (50, 80, 80), (None, 30, 30), (50, 500, 100)]
)
def test_the_test_part_may_have_a_limit_of_its_own(numbered: Numbered, limit, test_limit, rows: int) -> None:
    source = DataSource(numbered(200, 10), lambda: numbered(100, 10), tuple("0123456789"), SPEC)
    parts = prepare(source, holdout=20, limit=limit, seed=1, test_limit=test_limit)
    assert len(parts.test()) == rows
    assert len(parts.train) + len(parts.holdout) == (limit or 200)


@pytest.mark.parametrize("limit", [None, 30])
def test_a_validation_part_is_the_holdout_and_training_keeps_its_rows(numbered: Numbered, limit: int | None) -> None:
    held = numbered(60, 10)
    source = DataSource(numbered(100, 10), lambda: numbered(9, 10), tuple("0123456789"), SPEC, lambda: held)
    parts = prepare(source, holdout=40, limit=limit, seed=1)
    assert (len(parts.train), len(parts.holdout)) == ((30, 30) if limit else (100, 60))
    assert set(numbers(parts.holdout)) <= set(numbers(held))


def test_without_a_validation_part_the_holdout_must_be_given(numbered: Numbered) -> None:
    with pytest.raises(InputError, match=r"data\.holdout is missing"):
        rows_held_out(None, 100)


def test_splits_depend_on_the_seed_alone(numbered: Numbered) -> None:
    first, again, other = (split(numbered, 200, 50, 100, seed) for seed in (1, 1, 2))
    assert numbers(first.holdout) == numbers(again.holdout)
    assert numbers(first.test()) == numbers(again.test())
    assert numbers(first.holdout) != numbers(other.holdout)


def test_limit_keeps_the_shares_of_the_classes_in_every_part(numbered: Numbered) -> None:
    parts = split(numbered, 1000, 20, limit=100)
    used = torch.cat([parts.train.targets, parts.holdout.targets])
    assert torch.bincount(used).tolist() == [10] * 10
    assert torch.bincount(parts.test().targets).tolist() == [10] * 10


def test_limit_beyond_the_rows_takes_them_all(numbered: Numbered) -> None:
    parts = split(numbered, 100, 10, limit=70_000)
    assert len(parts.train) == 90
    assert len(parts.test()) == 50


def test_test_rows_are_read_only_when_asked_for(numbered: Numbered) -> None:
    read: list[str] = []

    def test() -> Examples:
        read.append("test")
        return numbered(20, 10)

    parts = prepare(DataSource(numbered(50, 10), test, (), SPEC), holdout=10, limit=None, seed=1)
    assert not read
    parts.test()
    assert read == ["test"]


def test_normaliser_is_measured_on_the_training_part_alone() -> None:
    levels = torch.tensor([0] * 10 + [255] * 10, dtype=torch.uint8).view(20, 1, 1, 1)
    source = DataSource(Examples(levels, torch.zeros(20).long()), lambda: pytest.fail("read"), (), SPEC)
    parts = prepare(source, holdout=10, limit=None, seed=3)
    assert parts.normaliser.mean.item() == pytest.approx(parts.train.inputs.float().mean().item() / 255)
    assert parts.holdout.inputs.float().mean() != parts.train.inputs.float().mean()


@pytest.mark.parametrize("limit", [1, 29, 30])
def test_limit_that_leaves_nothing_beside_the_holdout_names_both_keys(numbered: Numbered, limit: int) -> None:
    with pytest.raises(InputError, match=rf"data\.limit = {limit} .* data\.holdout = 30"):
        split(numbered, 100, 30, limit)


def test_holdout_as_large_as_the_training_set_is_refused(numbered: Numbered) -> None:
    with pytest.raises(InputError, match=r"data\.holdout = 100 must be less than the 100"):
        split(numbered, 100, 100)


@given(
    counts=st.lists(st.integers(0, 40), min_size=1, max_size=12).filter(any),
    share=st.floats(0, 1),
    seed=st.integers(0, 9),
)
def test_stratified_choice_gives_each_class_its_share_within_one_row(
    counts: list[int], share: float, seed: int
) -> None:
    targets = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    rows = int(share * len(targets))
    chosen = choose_stratified(targets, rows, stream(seed, "test"))
    assert len(chosen) == len(set(chosen.tolist())) == rows
    taken = torch.bincount(targets[chosen], minlength=len(counts))
    for count, got in zip(counts, taken.tolist(), strict=True):
        assert abs(got - count * rows / len(targets)) < 1


def held_of(counts: list[int], held: int, *, seed: int = 1, limit: int | None = None) -> tuple[list[int], list[int]]:
    """Count the rows of each class in the training part and in a stratified holdout."""
    targets = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    rows = torch.arange(len(targets))
    inputs = torch.stack([rows // 256, rows % 256], 1).to(torch.uint8).view(-1, 1, 1, 2)
    source = DataSource(Examples(inputs, targets), lambda: pytest.fail("read"), tuple(map(str, counts)), SPEC)
    parts = prepare(source, holdout=held, limit=limit, seed=seed, stratified=True)
    used = [*numbers(parts.train), *numbers(parts.holdout)]
    assert len(set(used)) == len(used) == (limit or len(targets))
    return parts.train.counts(len(counts)).tolist(), parts.holdout.counts(len(counts)).tolist()


@given(
    counts=st.lists(st.integers(0, 40), min_size=1, max_size=12).filter(lambda counts: sum(counts) > 1),
    share=st.floats(0, 1),
    seed=st.integers(0, 9),
)
def test_a_stratified_holdout_keeps_the_shares_and_single_rows_are_learned(
    counts: list[int], share: float, seed: int
) -> None:
    held_out = max(1, int(share * (sum(counts) - 1)))
    train, held = held_of(counts, held_out, seed=seed)
    assert [sum(both) for both in zip(train, held, strict=True)] == counts
    assert sum(held) == held_out
    divided = sum(count for count in counts if count > 1)
    if divided >= held_out:
        for count, got in zip(counts, held, strict=True):
            assert abs(got - (count * held_out / divided if count > 1 else 0)) < 1


def test_a_stratified_holdout_by_hand() -> None:
    assert held_of([50, 50, 50, 50], 20) == ([45] * 4, [5] * 4)
    assert held_of([80, 20, 1], 10) == ([72, 18, 1], [8, 2, 0])
    assert held_of([80, 20], 10, limit=50) == ([32, 8], [8, 2])


def test_a_stratified_holdout_depends_on_the_seed(numbered: Numbered) -> None:
    source = DataSource(numbered(200, 10), lambda: numbered(9, 10), tuple("0123456789"), SPEC)
    first, again, other = (prepare(source, holdout=50, limit=None, seed=seed, stratified=True) for seed in (1, 1, 2))
    assert numbers(first.holdout) == numbers(again.holdout) == sorted(numbers(again.holdout))
    assert numbers(first.holdout) != numbers(other.holdout)


def test_a_validation_part_needs_no_stratified_holdout(numbered: Numbered) -> None:
    held = numbered(60, 10)
    source = DataSource(numbered(100, 10), lambda: numbered(9, 10), tuple("0123456789"), SPEC, lambda: held)
    parts = prepare(source, holdout=None, limit=None, seed=1, stratified=True)
    assert (len(parts.train), numbers(parts.holdout)) == (100, numbers(held))
