from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from cgl_ignite.backbones.resnet import resnet8
from cgl_ignite.pool import ModularNetwork, Unit, add_classifier, extract_student, modular_layers, plan_forward
from cgl_ignite.pool.routing import random
from cgl_ignite.seeding import stream
from cgl_ignite.spec import InputSpec

STUDENTS = 3
INPUTS = torch.randn(4, 1, 8, 8, generator=stream(1, "trial"))
readings = pytest.mark.parametrize("reading", ["module", "student", "shared"])


def trained_pool(reading: str = "module") -> ModularNetwork:
    """Three students whose running statistics have moved, each on data of its own."""
    backbone = resnet8(InputSpec("image", (1, 8, 8)), 5, width=4)
    routing = add_classifier(random(STUDENTS, [1] * 4), STUDENTS, reading)
    pool = ModularNetwork(modular_layers(backbone), routing.modules, seed=1)
    pool.route(routing.sample(stream(1, "paths")), range(STUDENTS))
    units = [Unit(student, student, own=True, gradient=False) for student in range(STUDENTS)]
    pool.train()(
        [INPUTS * (student + 1) for student in range(STUDENTS)], plan_forward(pool.routes, units, training=True)
    )
    return pool


def in_the_pool(pool: ModularNetwork, student: int) -> torch.Tensor:
    plan = plan_forward(pool.routes, [Unit(student, 0, own=False, gradient=False)], training=False)
    return pool.eval()([INPUTS], plan).logits[0]


@readings
def test_a_student_says_outside_what_it_says_inside(reading: str) -> None:
    pool = trained_pool(reading)
    students = [extract_student(pool, student) for student in range(STUDENTS)]
    outputs = [student(INPUTS) for student in students]
    for student, output in enumerate(outputs):
        torch.testing.assert_close(output, in_the_pool(pool, student))
    assert not torch.allclose(outputs[0], outputs[1])


@readings
def test_a_student_is_an_ordinary_network_in_evaluation_mode(reading: str) -> None:
    pool = trained_pool(reading)
    student = extract_student(pool, 0)
    assert len(student) == pool.routes.layers
    assert not any(type(part).__module__.startswith("cgl_ignite") for part in student.modules())
    assert not any(part.training for part in student.modules())
    backbone = resnet8(InputSpec("image", (1, 8, 8)), 5, width=4)
    plain = nn.Sequential(*(builder() for builder in (*backbone.layers, backbone.classifier)))
    assert plain.state_dict().keys() == student.state_dict().keys()
    plain.load_state_dict(student.state_dict())
    assert torch.equal(plain.eval()(INPUTS), student(INPUTS))


def test_a_student_shares_nothing_with_the_pool() -> None:
    pool = trained_pool()
    before = copy.deepcopy(pool.state_dict())
    student = extract_student(pool, 1)
    with torch.no_grad():
        for value in (*student.parameters(), *student.buffers()):
            value.add_(1)
    after = pool.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_a_layer_that_is_itself_a_norm_or_a_dropout() -> None:
    pool = ModularNetwork([lambda: nn.BatchNorm2d(1), nn.Dropout, nn.Identity], [1, 1, 1], seed=1)
    pool.route(torch.tensor([[0, 0, 0]]), [0])
    student = extract_student(pool, 0)
    assert [type(layer) for layer in student] == [nn.BatchNorm2d, nn.Dropout, nn.Identity]
    torch.testing.assert_close(student(INPUTS), in_the_pool(pool, 0))
