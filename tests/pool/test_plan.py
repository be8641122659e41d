"""A plan runs everything it is asked for, once, and nothing else: traced symbolically, call by call."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cgl_ignite.imitation import imitation_units
from cgl_ignite.imitation.choose import bernoulli, others
from cgl_ignite.pool.plan import Plan, RouteTable, Unit, number_prefixes, plan_forward
from cgl_ignite.pool.routing import branched, random
from cgl_ignite.seeding import stream


@st.composite
def tables(draw):
    """Paths, and slots that differ wherever students read different data or come along different prefixes."""
    students, layers, modules = draw(st.integers(1, 6)), draw(st.integers(1, 5)), draw(st.integers(1, 3))
    row = st.lists(st.integers(0, modules - 1), min_size=layers, max_size=layers)
    paths = draw(st.lists(row, min_size=students, max_size=students))
    if draw(st.booleans()):
        return paths, [[0] * layers for _ in paths]
    group_of = draw(st.lists(st.integers(0, 2), min_size=students, max_size=students))
    known = number_prefixes([(group, *path) for group, path in zip(group_of, paths, strict=True)])
    return paths, [list(row[1:]) for row in known]


@st.composite
def worlds(draw):
    paths, slots = draw(tables())
    pairs = st.tuples(st.integers(0, len(paths) - 1), st.integers(0, 3))
    chosen = draw(st.lists(pairs, min_size=1, max_size=16, unique=True))
    return SimpleNamespace(
        paths=paths,
        slots=slots,
        table=RouteTable(paths, slots),
        units=[Unit(*pair, own=draw(st.booleans()), gradient=draw(st.booleans())) for pair in chosen],
        training=draw(st.booleans()),
    )


def trace(plan: Plan) -> list[list[tuple[int, tuple[int, ...]]]]:
    """Follow a plan layer by layer: for every node the batch it has seen and the modules it went through."""
    values = []
    for layer, calls in enumerate(plan.layers):
        nodes = []
        for call in calls:
            assert call.first == len(nodes)
            lengths = {len(part) for part in (call.sources, call.batches, call.slots, call.prefixes)}
            assert lengths == {len(call.sources)}
            for source, batch in zip(call.sources, call.batches, strict=True):
                seen, path = values[-1][source] if layer else (source, ())
                assert seen == batch
                nodes.append((seen, (*path, call.module)))
        values.append(nodes)
    return values


def members(world: SimpleNamespace, layer: int) -> dict[tuple, list[Unit]]:
    """Group the units that may be computed as one, by definition."""
    groups: dict[tuple, list[Unit]] = {}
    for unit in world.units:
        prefix = tuple(world.paths[unit.student][: layer + 1])
        slots = () if world.training else tuple(world.slots[unit.student][: layer + 1])
        groups.setdefault((unit.batch, prefix, slots), []).append(unit)
    return groups


@given(tables())
def test_prefixes_are_numbered_in_the_order_they_appear(table) -> None:
    rows, _ = table
    numbers = number_prefixes(rows)
    for layer in range(len(rows[0])):
        prefixes = list(dict.fromkeys(tuple(row[: layer + 1]) for row in rows))
        assert [row[layer] for row in numbers] == [prefixes.index(tuple(row[: layer + 1])) for row in rows]


@given(worlds())
def test_every_unit_comes_out_along_its_own_path_on_its_own_batch(world) -> None:
    plan = plan_forward(world.table, world.units, training=world.training)
    last = trace(plan)[-1]
    assert plan.nodes == len(last)
    assert plan.outputs.keys() == {(unit.student, unit.batch) for unit in world.units}
    for (student, batch), node in plan.outputs.items():
        assert last[node] == (batch, tuple(world.paths[student]))


@given(worlds())
def test_units_merge_exactly_as_long_as_they_agree(world) -> None:
    plan = plan_forward(world.table, world.units, training=world.training)
    for layer, nodes in enumerate(trace(plan)):
        assert sorted(nodes) == sorted((batch, prefix) for batch, prefix, _ in members(world, layer))
    last = len(plan.layers) - 1
    merged = {frozenset((unit.student, unit.batch) for unit in group) for group in members(world, last).values()}
    shared: dict[int, set] = {}
    for unit, node in plan.outputs.items():
        shared.setdefault(node, set()).add(unit)
    assert set(map(frozenset, shared.values())) == merged


@given(worlds())
def test_a_module_runs_once_with_gradient_and_once_without(world) -> None:
    plan = plan_forward(world.table, world.units, training=world.training)
    for layer, calls in enumerate(plan.layers):
        kinds = [(call.module, call.gradient) for call in calls]
        assert kinds == sorted(set(kinds))
        wanted = [
            (prefix[-1], any(unit.gradient for unit in group))
            for (_, prefix, _), group in members(world, layer).items()
        ]
        assert sorted(wanted) == sorted((call.module, call.gradient) for call in calls for _ in call.sources)


@given(worlds())
def test_what_feeds_a_gradient_has_one(world) -> None:
    plan = plan_forward(world.table, world.units, training=world.training)
    before: list[bool] = []
    for layer, calls in enumerate(plan.layers):
        if layer:
            assert all(before[source] for call in calls if call.gradient for source in call.sources)
        before = [call.gradient for call in calls for _ in call.sources]


def slots_by_node(plan: Plan) -> list[list[tuple]]:
    """For every layer its nodes as (batch, path, slot), in order."""
    return [
        [(*node, slot) for node, slot in zip(nodes, (slot for call in calls for slot in call.slots), strict=True)]
        for nodes, calls in zip(trace(plan), plan.layers, strict=True)
    ]


@given(worlds())
def test_a_call_can_be_made_node_by_node(world) -> None:
    plan = plan_forward(world.table, world.units, training=world.training)
    for calls in plan.layers:
        for call in calls:
            parts = list(call.split())
            for name in ("sources", "batches", "slots", "prefixes"):
                assert sum((getattr(part, name) for part in parts), ()) == getattr(call, name)
            assert [part.first for part in parts] == list(range(call.first, call.first + len(parts)))
            assert {(part.module, part.gradient) for part in parts} == {(call.module, call.gradient)}


@given(worlds())
def test_training_moves_the_statistics_of_those_that_learn_from_the_batch(world) -> None:
    plan = plan_forward(world.table, world.units, training=True)
    for layer, nodes in enumerate(slots_by_node(plan)):
        for batch, path, slot in nodes:
            users = [unit for unit in world.units if unit.batch == batch and unit.own]
            users = [unit for unit in users if tuple(world.paths[unit.student][: layer + 1]) == path]
            assert slot in ([world.slots[unit.student][layer] for unit in users] or [None])


@given(worlds())
def test_evaluation_uses_the_statistics_of_each_student(world) -> None:
    plan = plan_forward(world.table, world.units, training=False)
    for layer, nodes in enumerate(slots_by_node(plan)):
        users = {
            (unit.batch, tuple(world.paths[unit.student][: layer + 1]), tuple(world.slots[unit.student][: layer + 1]))
            for unit in world.units
        }
        assert sorted(nodes) == sorted((batch, path, slots[-1]) for batch, path, slots in users)


@given(worlds())
def test_a_node_has_the_address_of_its_prefix_whatever_runs_beside_it(world) -> None:
    together = plan_forward(world.table, world.units, training=True)
    unit = world.units[0]
    alone = plan_forward(world.table, [unit], training=True)
    node = together.outputs[unit.student, unit.batch]
    for calls, (single,) in zip(reversed(together.layers), reversed(alone.layers), strict=True):
        call = next(call for call in calls if call.first <= node < call.first + len(call.sources))
        index = node - call.first
        assert (call.module, call.prefixes[index], call.batches[index]) == (
            single.module,
            single.prefixes[0],
            single.batches[0],
        )
        node = call.sources[index]


def test_rows_of_some_students() -> None:
    table = RouteTable([[0], [1], [0]], [[0], [0], [1]])
    units = [Unit(student, 0, own=True, gradient=True) for student in (2, 1, 0)]
    plan = plan_forward(table, units, training=True)
    assert plan.rows([0, 1, 2], 0) == [0, 1, 0]
    assert plan.rows([], 0) == []
    assert (table.students, table.layers) == (3, 1)


@pytest.mark.parametrize(
    ("groups", "statistics", "slots"),
    [
        ([0, 0, 0], "student", [[0, 0], [0, 0], [0, 1]]),
        ([0, 1, 1], "student", [[0, 0], [1, 0], [1, 0]]),
        ([0, 1, 2], "shared", [[0, 0], [0, 0], [0, 0]]),
    ],
)
def test_rows_of_statistics(groups: list[int], statistics: str, slots: list[list[int]]) -> None:
    """Students with the same data and path prefix share a row; a layer that keeps none has one row."""
    keeps = [True, groups == [0, 0, 0]]
    table = RouteTable.of([[0, 0], [0, 0], [0, 1]], groups, keeps, statistics)
    assert [list(row) for row in table.slots] == slots


def test_an_evaluation_runs_every_student_once() -> None:
    table = RouteTable([[0, 0], [0, 1]], [[0, 0], [0, 0]])
    assert [len(calls) for calls in table.evaluation.layers] == [1, 2]
    assert table.evaluation is table.evaluation


def test_twins_merge_in_training_and_stay_apart_where_their_statistics_differ() -> None:
    table = RouteTable([[0, 1], [0, 1]], [[0, 0], [1, 1]])
    units = [Unit(student, 0, own=False, gradient=False) for student in (0, 1)]
    assert plan_forward(table, units, training=True).nodes == 1
    plan = plan_forward(table, units, training=False)
    assert [call.slots for (call,) in plan.layers] == [(0, 1), (0, 1)]


def paper(students: int, gradient: bool, choice) -> list[Plan]:
    """Iterations of nine layers with two modules each, every student on a batch of its own."""
    routing = random(students, [1] * 9, modules=2)
    plans = []
    for seed in range(5):
        paths = routing.sample(stream(seed, "paths")).tolist()
        imitated = choice.draw(stream(seed, "sub-groups")).tolist()
        units = imitation_units(range(students), range(students), imitated, gradient=gradient)
        plans.append(plan_forward(RouteTable(paths, paths), units, training=True))
    return plans


@pytest.mark.parametrize("students", [8, 32])
def test_the_papers_pool_needs_at_most_18_calls_however_many_students_imitate(students: int) -> None:
    for choice in (bernoulli(students, probability=0.25), others(students)):
        for plan in paper(students, True, choice):
            calls = [call for layer in plan.layers for call in layer]
            assert len(calls) <= 18
            assert all(call.gradient for call in calls)


def test_stopped_teachers_are_run_in_calls_of_their_own() -> None:
    for plan in paper(8, False, bernoulli(8, probability=0.25)):
        for gradient in (True, False):
            assert sum(call.gradient is gradient for layer in plan.layers for call in layer) <= 18


def test_three_branches_of_one_batch_need_eleven_calls() -> None:
    """The trunk of eight layers runs once; nine layers for each of three students would be 27."""
    paths = branched(3, [1] * 9, at=8).sample(torch.Generator()).tolist()
    units = [Unit(student, 0, own=True, gradient=True) for student in range(3)]
    plan = plan_forward(RouteTable(paths, paths), units, training=True)
    assert sum(map(len, plan.layers)) == 11
    assert sum(len(call.sources) for layer in plan.layers for call in layer) == 11


def test_apart_the_first_student_alone_moves_what_several_share() -> None:
    """Students 0 and 1 read one batch and share their first layer; student 2 reads another one."""
    table = RouteTable.of([[0, 0], [0, 1], [0, 0]], [0, 0, 1], [True, True])
    for apart, moved in ((table, [[0, 0], [0, 1], [1, 2]]), (table.apart, [[0, 0], [None, 1], [1, 2]])):
        for student, slots in enumerate(moved):
            plan = plan_forward(apart, [Unit(student, 0, own=True, gradient=True)], training=True)
            assert [call.slots for (call,) in plan.layers] == [(slot,) for slot in slots]
    assert table.apart.evaluation == table.evaluation
