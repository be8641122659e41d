from __future__ import annotations

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

from cgl_ignite.data import SUBSETS, disjoint, whole
from cgl_ignite.errors import InputError

division = given(
    students=st.integers(1, 9),
    rows=st.integers(18, 300),
    stratified=st.booleans(),
    redraw_every=st.integers(0, 3),
    seed=st.integers(0, 99),
    epoch=st.integers(0, 50),
)


@division
def test_disjoint_subsets_divide_all_rows_into_equal_parts(
    students: int, rows: int, stratified: bool, redraw_every: int, seed: int, epoch: int
) -> None:
    targets = torch.arange(rows) % 5
    subsets = disjoint(targets, students, seed, stratified=stratified, redraw_every=redraw_every)
    groups = subsets.groups(epoch)
    assert torch.cat(groups).sort().values.tolist() == list(range(rows))
    assert tuple(map(len, groups)) == subsets.sizes
    assert max(subsets.sizes) - min(subsets.sizes) <= 1
    assert subsets.group_of == tuple(range(students))


@division
def test_stratified_subsets_share_every_class_equally(
    students: int, rows: int, stratified: bool, redraw_every: int, seed: int, epoch: int
) -> None:
    targets = torch.arange(rows) ** 2 % 7
    groups = disjoint(targets, students, seed, stratified=True).groups(epoch)
    counts = torch.stack([torch.bincount(targets[rows], minlength=7) for rows in groups])
    assert (counts.max(0).values - counts.min(0).values).max() <= 1


@division
def test_subsets_are_drawn_once_or_anew_after_so_many_epochs(
    students: int, rows: int, stratified: bool, redraw_every: int, seed: int, epoch: int
) -> None:
    subsets = disjoint(torch.zeros(rows).long(), students, seed, redraw_every=redraw_every)
    drawing = epoch // redraw_every if redraw_every else 0
    same = torch.cat(subsets.groups(epoch)).equal(torch.cat(subsets.groups(0)))
    assert same == (drawing == 0)


@given(students=st.integers(1, 6), rows=st.integers(12, 200), overlap=st.floats(0, 1))
def test_overlap_adds_its_fraction_of_the_other_rows(students: int, rows: int, overlap: float) -> None:
    targets = torch.zeros(rows).long()
    subsets = disjoint(targets, students, 4, overlap=overlap)
    for own, group in zip(disjoint(targets, students, 4).groups(0), subsets.groups(0), strict=True):
        assert len(set(group.tolist())) == len(group) == len(own) + round(overlap * (rows - len(own)))
        assert set(own.tolist()) <= set(group.tolist())
    assert tuple(map(len, subsets.groups(0))) == subsets.sizes
    assert max(subsets.sizes) - min(subsets.sizes) <= 1


def test_complete_overlap_gives_everyone_everything() -> None:
    subsets = disjoint(torch.zeros(10).long(), 3, 1, overlap=1.0)
    assert [sorted(group.tolist()) for group in subsets.groups(7)] == [list(range(10))] * 3


def test_whole_is_one_group_that_all_students_read() -> None:
    subsets = whole(torch.zeros(5).long(), 3, 1)
    assert subsets.group_of == (0, 0, 0)
    assert subsets.sizes == (5,)
    assert [group.tolist() for group in subsets.groups(2)] == [[0, 1, 2, 3, 4]]


@pytest.mark.parametrize(("rows", "students"), [(2, 3), (15, 8)])
def test_fewer_than_two_rows_a_student_names_the_key(rows: int, students: int) -> None:
    with pytest.raises(InputError, match=rf"method\.students: {students} is too many .* {rows} rows"):
        disjoint(torch.zeros(rows).long(), students, 1)


def test_two_rows_a_student_are_enough() -> None:
    assert disjoint(torch.zeros(16).long(), 8, 1).sizes == (2,) * 8


def test_whole_needs_two_rows() -> None:
    with pytest.raises(InputError, match=r"method\.students"):
        whole(torch.zeros(1).long(), 1, 1)


def test_both_kinds_are_registered_with_their_options() -> None:
    assert SUBSETS.kinds() == ("disjoint", "whole")
    assert list(SUBSETS.options("disjoint")) == ["redraw_every", "overlap", "stratified"]
    assert not SUBSETS.options("whole")
