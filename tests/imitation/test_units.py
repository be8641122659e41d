from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cgl_ignite.imitation.units import imitation_units
from cgl_ignite.pool import Unit


@st.composite
def iterations(draw) -> tuple[list[int], list[int], list[list[bool]], bool]:
    students = draw(st.integers(1, 6))
    group_of = draw(st.sampled_from([[0] * students, list(range(students))]))
    groups = draw(st.lists(st.sampled_from(sorted(set(group_of))), unique=True))
    row = st.lists(st.booleans(), min_size=students, max_size=students)
    imitated = draw(st.lists(row, min_size=students, max_size=students))
    for student in range(students):
        imitated[student][student] = False
    return groups, group_of, imitated, draw(st.booleans())


@given(iterations())
def test_each_batch_runs_its_readers_and_those_they_imitate_once(iteration) -> None:
    groups, group_of, imitated, gradient = iteration
    units = imitation_units(groups, group_of, imitated, gradient=gradient)
    expected = {}
    for student, group in enumerate(group_of):
        if group not in groups:
            continue
        expected[student, groups.index(group)] = True
        for other, chosen in enumerate(imitated[student]):
            if chosen:
                expected.setdefault((other, groups.index(group)), group_of[other] == group)
    assert len(units) == len(expected)
    assert {(unit.student, unit.batch): unit.own for unit in units} == expected
    assert all(unit.gradient == (unit.own or gradient) for unit in units)


def test_units_of_two_batches_of_three_students() -> None:
    imitated = [[False, True, False], [True, False, False], [True, True, False]]
    assert imitation_units([2, 0], [0, 1, 2], imitated, gradient=False) == [
        Unit(2, 0, own=True, gradient=True),
        Unit(0, 0, own=False, gradient=False),
        Unit(1, 0, own=False, gradient=False),
        Unit(0, 1, own=True, gradient=True),
        Unit(1, 1, own=False, gradient=False),
    ]


def test_students_of_one_batch_run_once_though_they_imitate_each_other() -> None:
    everyone = [[i != j for j in range(3)] for i in range(3)]
    units = imitation_units([0], [0, 0, 0], everyone, gradient=False)
    assert units == [Unit(student, 0, own=True, gradient=True) for student in range(3)]


def test_students_that_other_passes_run_on_their_own_batch_are_left_out() -> None:
    """Student 0 of batch 0 imitates all others: 1, which learns from the same batch, and 2, which has another one."""
    everyone = [[i != j for j in range(3)] for i in range(3)]
    assert imitation_units([0], [0, 0, 1], everyone, gradient=False, turn=[0], elsewhere=[1, 2]) == [
        Unit(0, 0, own=True, gradient=True),
        Unit(2, 0, own=False, gradient=False),
    ]
