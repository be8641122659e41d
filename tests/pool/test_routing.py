from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import assume, given
from torch import Tensor

from cgl_ignite.errors import InputError
from cgl_ignite.pool.routing import ROUTINGS, Routing, add_classifier, branched, disjoint, fixed, random
from cgl_ignite.seeding import stream

CHI_SQUARE_99_9 = {1: 10.8, 3: 16.3, 8: 26.1, 15: 37.7}


def drawn(routing: Routing, seed: int = 1) -> Tensor:
    return routing.sample(stream(seed, "paths"))


def assert_uniform(counts: Tensor) -> None:
    """Pearson's statistic of equally likely outcomes stays below its 99.9 % quantile; draws are seeded."""
    expected = counts.double().mean()
    statistic = ((counts - expected) ** 2 / expected).sum().item()
    assert statistic < CHI_SQUARE_99_9[len(counts) - 1]


@given(
    students=st.integers(1, 20),
    layers=st.integers(1, 12),
    modules=st.integers(1, 4),
    shared=st.lists(st.integers(0, 11), max_size=3, unique=True),
    seed=st.integers(0, 2**32),
)
def test_every_student_has_one_module_a_layer_and_a_path_of_its_own(
    students: int, layers: int, modules: int, shared: list[int], seed: int
) -> None:
    shared = tuple(layer for layer in shared if layer < layers)
    assume(students <= modules ** (layers - len(shared)))
    routing = random(students, [1] * layers, modules=modules, shared=shared)
    paths = drawn(routing, seed)
    assert paths.shape == (students, layers)
    assert paths.dtype == torch.int64
    assert routing.modules == tuple(1 if layer in shared else modules for layer in range(layers))
    assert (paths >= 0).all()
    assert (paths < torch.tensor(routing.modules)).all()
    assert len(paths.unique(dim=0)) == students
    assert not paths[:, list(shared)].any()
    assert torch.equal(drawn(routing, seed), paths)


def test_another_seed_gives_other_paths() -> None:
    routing = random(8, [1] * 9, modules=2)
    assert not torch.equal(drawn(routing, 1), drawn(routing, 2))


def test_as_many_students_as_paths_take_all_paths() -> None:
    paths = drawn(random(16, [1] * 4, modules=2))
    assert sorted(map(tuple, paths.tolist())) == list(product((0, 1), repeat=4))


def test_modules_of_a_layer_are_equally_likely() -> None:
    paths = drawn(random(3000, [1] * 3, modules=4, distinct=False))
    for layer in range(3):
        assert_uniform(paths[:, layer].bincount(minlength=4))


def test_layers_are_drawn_independently() -> None:
    paths = drawn(random(3000, [1] * 2, modules=3, distinct=False))
    assert_uniform((3 * paths[:, 0] + paths[:, 1]).bincount(minlength=9))


def test_distinct_paths_are_equally_likely_for_each_student() -> None:
    routing = random(5, [1] * 4, modules=2)
    codes = torch.stack([drawn(routing, seed) @ torch.tensor([8, 4, 2, 1]) for seed in range(800)])
    for student in (0, 4):
        assert_uniform(codes[:, student].bincount(minlength=16))


@pytest.mark.parametrize(
    ("students", "layers", "modules", "shared", "paths"),
    [(17, 4, 2, (), 16), (2, 9, 1, (), 1), (3, 3, 2, (0, 2), 2), (513, 9, 2, (), 512)],
)
def test_more_students_than_paths(
    students: int, layers: int, modules: int, shared: tuple[int, ...], paths: int
) -> None:
    message = (
        rf"{students} students need distinct paths, but {layers} layers of up to {modules} modules give only {paths};"
    )
    with pytest.raises(InputError, match=message):
        random(students, [1] * layers, modules=modules, shared=shared)
    some = drawn(random(students, [1] * layers, modules=modules, shared=shared, distinct=False))
    assert some.shape == (students, layers)


def test_a_shared_layer_must_be_there() -> None:
    with pytest.raises(InputError, match=r"shared layers \[4, 9\] are outside the 4 layers 0 to 3"):
        random(2, [1] * 4, shared=(0, 4, 9))


def test_branched_students_leave_the_trunk_at_one_layer() -> None:
    routing = branched(3, [1] * 5, at=3)
    assert drawn(routing).tolist() == [[0, 0, 0, 0, 0], [0, 0, 0, 1, 1], [0, 0, 0, 2, 2]]
    assert routing.modules == (1, 1, 1, 3, 3)


@pytest.mark.parametrize("at", [5, 9])
def test_a_branch_point_must_be_a_layer(at: int) -> None:
    with pytest.raises(InputError, match=rf"at = {at} is beyond the last layer \(0 to 4\)"):
        branched(3, [1] * 5, at=at)


def test_disjoint_students_share_nothing() -> None:
    routing = disjoint(3, [1] * 4)
    assert drawn(routing).tolist() == [[k] * 4 for k in range(3)]
    assert routing.modules == (3, 3, 3, 3)


def test_a_fixed_table_is_taken_as_it_is() -> None:
    table = [[0, 2, 0], [1, 0, 0], [1, 0, 0]]
    routing = fixed(3, [1] * 3, table=table)
    assert drawn(routing).tolist() == table
    assert drawn(routing).dtype == torch.int64
    assert routing.modules == (2, 3, 1)


@pytest.mark.parametrize(
    ("table", "shape"),
    [
        ([[0, 1, 0]], "1 rows of 3 entries"),
        ([[0, 1], [1, 0]], "2 rows of 2 entries"),
        ([[0, 1, 0], [0, 1]], "2 rows of 2/3 entries"),
        ([], "0 rows of  entries"),
    ],
)
def test_a_table_of_another_shape(table: list[list[int]], shape: str) -> None:
    with pytest.raises(InputError, match=rf"table needs 2 rows \(students\) of 3 entries \(layers\), not {shape}"):
        fixed(2, [1] * 3, table=table)


@pytest.mark.parametrize(
    ("reading", "column", "modules"),
    [("module", [], (2, 2)), ("student", [0, 1, 2], (2, 2, 3)), ("shared", [0, 0, 0], (2, 2, 1))],
)
def test_place_of_the_classifier(reading: str, column: list[int], modules: tuple[int, ...]) -> None:
    routing = random(3, [1] * 2, modules=2)
    placed = add_classifier(routing, 3, reading)
    assert placed.modules == modules
    assert torch.equal(drawn(placed)[:, :2], drawn(routing))
    assert drawn(placed)[:, 2:].flatten().tolist() == column


def test_registered_kinds() -> None:
    assert {"random", "branched", "disjoint", "fixed"} <= set(ROUTINGS.kinds())


def test_paths_with_a_seed_of_their_own_are_the_same_in_every_run() -> None:
    """They are those that a run of that seed would draw."""
    own = random(8, [9], seed=7)
    assert torch.equal(drawn(own, 1), drawn(own, 2))
    assert torch.equal(drawn(own, 1), drawn(random(8, [9]), 7))
    assert not torch.equal(drawn(own, 1), drawn(random(8, [9], seed=8), 1))


def test_paths_of_an_earlier_run_are_read_without_its_classifier(tmp_path: Path) -> None:
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts" / "paths.json").write_text("[[0, 1, 0], [1, 1, 1]]", encoding="utf-8")
    assert drawn(fixed(2, [2], from_=str(tmp_path))).tolist() == [[0, 1], [1, 1]]
    with pytest.raises(InputError, match="needs 3 rows"):
        fixed(3, [2], from_=str(tmp_path))


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({}, "one of"),
        ({"table": [[0]], "from_": "x"}, "one of"),
        ({"from_": "nowhere"}, "no folder of a run"),
        ({"run": "x"}, "'run' is called 'from' now"),
    ],
)
def test_fixed_paths_come_from_one_place(given: dict[str, Any], fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        fixed(1, [1], **given)
