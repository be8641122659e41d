from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cgl_ignite.errors import InputError
from cgl_ignite.imitation.choose import (
    CHOICES,
    Choice,
    bernoulli,
    constant,
    everyone,
    fixed,
    nobody,
    others,
    peers,
    regular,
)
from cgl_ignite.seeding import stream

seeds = st.integers(0, 2**32)
sizes = st.integers(2, 12).flatmap(lambda students: st.tuples(st.just(students), st.integers(1, students - 1)))
DRAWS = 2000


def drawn(choice: Choice, seed: int = 1) -> Tensor:
    return choice.draw(stream(seed, "sub-groups"))


def frequencies(choice: Choice) -> Tensor:
    return torch.stack([drawn(choice, seed) for seed in range(DRAWS)]).double().mean(dim=0)


def assert_near(found: Tensor, probability: float) -> None:
    """Each of some frequencies over independent draws is within five standard deviations."""
    deviation = (probability * (1 - probability) / DRAWS) ** 0.5
    assert (found - probability).abs().max() < 5 * deviation


def off_diagonal(table: Tensor) -> Tensor:
    return table[~torch.eye(len(table), dtype=torch.bool)]


def assert_is_a_choice(table: Tensor, students: int) -> None:
    assert table.shape == (students, students)
    assert table.dtype == torch.bool
    assert not table.diagonal().any()


@given(st.integers(1, 12), seeds)
def test_nobody_and_others(students: int, seed: int) -> None:
    assert not drawn(nobody(students), seed).any()
    everyone = drawn(others(students), seed)
    assert_is_a_choice(everyone, students)
    assert off_diagonal(everyone).all()
    assert (nobody(students).expected, others(students).expected) == (0, students - 1)


@given(st.integers(1, 12), seeds)
def test_everyone_includes_oneself(students: int, seed: int) -> None:
    assert drawn(everyone(students), seed).all()
    assert everyone(students).expected == students


def test_peers_are_imitated_by_all_and_the_leader_by_nobody() -> None:
    assert drawn(peers(3)).tolist() == [[True, True, False]] * 3
    assert peers(3).expected == 2


def test_a_leader_needs_peers() -> None:
    with pytest.raises(InputError, match="needs at least one peer"):
        peers(1)


@given(st.integers(1, 12), st.floats(0.01, 1), seeds)
def test_bernoulli_never_chooses_oneself(students: int, probability: float, seed: int) -> None:
    choice = bernoulli(students, probability=probability)
    assert_is_a_choice(drawn(choice, seed), students)
    assert choice.expected == pytest.approx(probability * (students - 1))
    assert torch.equal(drawn(choice, seed), drawn(choice, seed))


@pytest.mark.parametrize("probability", [0.25, 0.5])
def test_every_other_student_is_chosen_with_the_same_probability(probability: float) -> None:
    choice = bernoulli(8, probability=probability)
    assert_near(off_diagonal(frequencies(choice)), probability)


def test_nobody_is_chosen_now_and_then() -> None:
    """(1 - p)^(K - 1) = 0.1335 for the paper's 8 students and p = 0.25."""
    choice = bernoulli(8, probability=0.25)
    empty = torch.stack([~drawn(choice, seed).any(dim=1) for seed in range(DRAWS)]).double().mean(dim=0)
    assert_near(empty, 0.75**7)


def test_the_number_that_the_paper_prints() -> None:
    """Its appendix: 1 + K p = 3 passes for 8 students and p = 0.25, though only 7 others can be drawn."""
    assert bernoulli(8, probability=0.25).printed == 2
    assert bernoulli(8, probability=0.25).expected == 1.75
    assert bernoulli(8, probability=0.5).printed == 4
    without = {nobody: 0, others: 7, everyone: 8, peers: 7}
    assert {choice: choice(8).printed for choice in without} == without
    assert (fixed(8, size=2).printed, regular(8, size=3).printed) == (2, 3)


def test_students_choose_independently() -> None:
    choice = bernoulli(3, probability=0.5)
    tables = torch.stack([drawn(choice, seed) for seed in range(DRAWS)])
    for (i, j), (m, n) in [((0, 1), (1, 0)), ((0, 1), (0, 2)), ((0, 2), (1, 2))]:
        assert_near((tables[:, i, j] & tables[:, m, n]).double().mean(), 0.25)


def test_probability_one_chooses_all_others() -> None:
    assert torch.equal(drawn(bernoulli(8, probability=1.0)), drawn(others(8)))


@given(sizes, seeds)
def test_a_fixed_size_is_exact(size: tuple[int, int], seed: int) -> None:
    students, chosen = size
    table = drawn(fixed(students, size=chosen), seed)
    assert_is_a_choice(table, students)
    assert (table.sum(dim=1) == chosen).all()
    assert fixed(students, size=chosen).expected == chosen


def test_a_fixed_size_prefers_nobody() -> None:
    assert_near(off_diagonal(frequencies(fixed(5, size=2))), 0.5)


@given(sizes, seeds)
def test_on_a_ring_everyone_imitates_and_is_imitated_as_often(size: tuple[int, int], seed: int) -> None:
    students, chosen = size
    table = drawn(regular(students, size=chosen), seed)
    assert_is_a_choice(table, students)
    assert (table.sum(dim=0) == chosen).all()
    assert (table.sum(dim=1) == chosen).all()
    assert regular(students, size=chosen).expected == chosen


def test_a_ring_is_one_ring() -> None:
    """With one neighbour each, following the choices meets every student."""
    table = drawn(regular(7, size=1))
    student, met = 0, []
    for _ in range(7):
        met.append(student)
        student = int(table[student].int().argmax())
    assert student == 0
    assert sorted(met) == list(range(7))


def test_a_ring_prefers_nobody() -> None:
    assert_near(off_diagonal(frequencies(regular(6, size=2))), 2 / 5)


@pytest.mark.parametrize("kind", [fixed, regular])
@pytest.mark.parametrize(("students", "size"), [(8, 8), (1, 1), (3, 9)])
def test_more_than_the_others_cannot_be_chosen(kind, students: int, size: int) -> None:
    with pytest.raises(InputError, match=f"method.choose.size: {size} is more than the {students - 1} other students"):
        kind(students, size=size)


def test_registered_kinds() -> None:
    assert {"nobody", "others", "everyone", "peers", "bernoulli", "fixed", "regular"} <= set(CHOICES.kinds())


@pytest.mark.parametrize(("students", "probability"), [(1, 1.0), (2, 1.0), (8, 0.25), (32, 0.0625)])
def test_a_constant_number_keeps_k_p(students: int, probability: float) -> None:
    choice = constant(students, imitated=2)
    assert choice.printed == pytest.approx(students * probability)
    same = bernoulli(students, probability=probability)
    assert torch.equal(choice.at(1, 3), same.at(1, 3))
