from __future__ import annotations

import pytest
import torch
from ignite.engine import Engine, Events
from torch import nn

from cgl_ignite.handlers.paths import PathSampler
from cgl_ignite.pool import ModularNetwork
from cgl_ignite.pool.routing import random

LAYERS = 6


def establish(
    seed: int, statistics: str = "student", group_of: tuple[int, ...] = (0, 1, 2)
) -> tuple[Engine, ModularNetwork]:
    routing = random(3, [1] * LAYERS, modules=2)
    pool = ModularNetwork([lambda: nn.Sequential(nn.BatchNorm1d(2))] * LAYERS, routing.modules, seed)
    engine = Engine(lambda engine, _: seen.append(engine.state.paths))
    seen: list[torch.Tensor] = []
    PathSampler(pool, routing, group_of, statistics, seed).attach(engine)
    engine.run([0, 1], max_epochs=2)
    assert len(seen) == 4
    assert all(paths is seen[0] for paths in seen)
    return engine, pool


def test_paths_are_drawn_once_and_establish_the_students() -> None:
    engine, pool = establish(1)
    assert engine.state.paths.shape == (3, LAYERS)
    assert [list(path) for path in pool.routes.paths] == engine.state.paths.tolist()


def test_paths_are_a_function_of_the_seed() -> None:
    (first, _), (again, _), (other, _) = establish(1), establish(1), establish(2)
    assert torch.equal(first.state.paths, again.state.paths)
    assert not torch.equal(first.state.paths, other.state.paths)


@pytest.mark.parametrize(("statistics", "rows"), [("student", 3), ("shared", 1)])
def test_the_reading_of_statistics_reaches_the_pool(statistics: str, rows: int) -> None:
    _, pool = establish(1, statistics)
    assert len(pool.layers[0][0][0].running_mean) == rows


def test_what_students_read_reaches_the_pool() -> None:
    _, pool = establish(1, group_of=(0, 0, 0))
    slots = [row[0] for row in pool.routes.slots]
    assert len(set(slots)) == len({path[0] for path in pool.routes.paths})


def test_students_are_established_before_handlers_attached_later() -> None:
    routing = random(2, [1, 1])
    pool = ModularNetwork([nn.Identity, nn.Identity], routing.modules, seed=1)
    engine = Engine(lambda engine, _: None)
    PathSampler(pool, routing, (0, 1), "student", 1).attach(engine)
    students = []
    engine.add_event_handler(Events.STARTED, lambda _: students.append(pool.routes.students))
    engine.run([0])
    assert students == [2]


def test_paths_are_handed_on_once_the_students_are_established() -> None:
    routing = random(2, [1, 1, 1])
    pool = ModularNetwork([nn.Identity] * 3, routing.modules, seed=1)
    handed = []
    sampler = PathSampler(pool, routing, (0, 1), "student", 1, lambda paths: handed.append((paths, pool.routes.paths)))
    engine = Engine(lambda engine, _: None)
    sampler.attach(engine)
    engine.run([0, 1], max_epochs=2)
    ((paths, established),) = handed
    assert paths is engine.state.paths
    assert [list(path) for path in established] == paths.tolist()
