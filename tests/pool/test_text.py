"""Pools over token ids: the planned pass, dropout and norms on (B, T, D) and (B, C, T), students taken out, costs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from cgl_ignite.backbones import BACKBONES, Backbone
from cgl_ignite.pool import ModularNetwork, extract_student, modular_layers, plan_forward
from cgl_ignite.pool.cost import measure_layers
from cgl_ignite.pool.plan import Unit
from cgl_ignite.spec import InputSpec

SPEC = InputSpec("text", (64,), vocabulary=12)
OPTIONS = {
    "vdcnn9": {"width": 2, "embedding": 3},
    "transformer": {"embedding": 6, "width": 8, "heads": 2, "feed_forward": 8, "dropout": 0.3},
}
PATHS = {
    "vdcnn9": [[0, 0, 1, 0, 1, 0], [0, 1, 1, 0, 1, 1], [0, 0, 1, 1, 1, 1]],
    "transformer": [[0, 0, 1, 0], [0, 0, 1, 1], [0, 1, 1, 1]],
}
each_kind = pytest.mark.parametrize("kind", OPTIONS)


def backbone_of(kind: str) -> Backbone:
    return BACKBONES.get(kind)(SPEC, 3, **OPTIONS[kind])


def pool_of(kind: str) -> ModularNetwork:
    paths = torch.tensor(PATHS[kind])
    pool = ModularNetwork(modular_layers(backbone_of(kind)), (paths.amax(0) + 1).tolist(), seed=2).double()
    pool.to(memory_format=torch.channels_last)
    pool.route(paths, group_of=[0, 1, 2])
    return pool


def texts(rows: int) -> Tensor:
    symbols = torch.randint(1, 12, (rows, 64), generator=torch.Generator().manual_seed(4))
    return symbols * (torch.arange(64) < torch.tensor([64, 30, 1, 0, 50])[torch.arange(rows) % 5, None])


def train(pool: ModularNetwork, units: list[Unit], batches: list[Tensor]) -> list[Tensor]:
    plan = plan_forward(pool.routes, units, training=True)
    logits = pool.train()(batches, plan, iteration=7).logits
    return [logits[plan.outputs[unit.student, unit.batch]] for unit in units]


@each_kind
def test_students_together_are_students_one_by_one(kind: str) -> None:
    """Calls over several nodes give each the masks and the batch statistics it has alone."""
    batches = [texts(4), texts(3), texts(5)]
    units = [Unit(student, batch, student == batch, True) for student in range(3) for batch in range(3)]
    together = train(pool_of(kind), units, batches)
    for unit, expected in zip(units, together, strict=True):
        (alone,) = train(pool_of(kind), [unit], batches)
        torch.testing.assert_close(alone, expected, rtol=1e-10, atol=1e-10)


@each_kind
def test_a_student_taken_out_answers_as_in_the_pool(kind: str) -> None:
    pool, inputs = pool_of(kind), texts(5)
    train(pool, [Unit(student, 0, True, False) for student in range(3)], [inputs])
    plan = plan_forward(pool.routes, [Unit(student, 0, False, False) for student in range(3)], training=False)
    with torch.no_grad():
        logits = pool.eval()([inputs], plan).logits
    for student in range(3):
        alone = extract_student(pool, student)
        torch.testing.assert_close(alone(inputs), logits[plan.outputs[student, 0]], rtol=1e-10, atol=1e-10)
        names = {type(part).__module__ for part in alone.modules()}
        assert not any(name.startswith("cgl_ignite.pool") for name in names)


def test_statistics_of_a_channel_count_every_position() -> None:
    pool, inputs = pool_of("vdcnn9"), texts(5)
    train(pool, [Unit(1, 0, True, False)], [inputs])
    path, slots = pool.routes.paths[1], pool.routes.slots[1]
    with torch.no_grad():
        values = pool.layers[1][path[1]](pool.layers[0][0](inputs))
        convolution, norm = pool.layers[2][path[2]][0][0:2]
        values = convolution(values)
    torch.testing.assert_close(norm.running_mean[slots[2]], 0.1 * values.mean((0, 2)))
    torch.testing.assert_close(norm.running_var[slots[2]], 0.9 + 0.1 * values.var((0, 2)))


def test_multiply_adds_of_the_transformer() -> None:
    """Per text of T tokens: E D for the projection; 4 D² + 2 T D for the attention and 2 D F after it, per token."""
    spec = InputSpec("text", (96,), vocabulary=500)
    costs = measure_layers(modular_layers(BACKBONES.get("transformer")(spec, 2)), spec)
    forward = 96 * (4 * 128**2 + 2 * 96 * 128 + 2 * 128 * 512)
    assert [cost.forward for cost in costs] == [96 * 512 * 128, forward, forward, forward, 128 * 2]
    assert costs[1].backward >= 2 * forward


def test_multiply_adds_of_vdcnn() -> None:
    """A convolution of three costs 3 C D at each position; the embedding is a look-up."""
    spec = InputSpec("text", (1024,), 69)
    first, stem, *blocks, classifier = measure_layers(modular_layers(BACKBONES.get("vdcnn9")(spec, 5)), spec)
    assert (first.forward, stem.forward) == (0, 1024 * 3 * 16 * 64)
    widths = [(1024, 64, 64), (512, 64, 128), (256, 128, 256), (128, 256, 512)]
    assert [block.forward for block in blocks] == [3 * t * (c * d + d * d) for t, c, d in widths]
    assert classifier.forward == 4096 * 2048 + 2048 * 2048 + 2048 * 5


def test_channels_last_concerns_pictures_only() -> None:
    convolutions = [part for part in pool_of("vdcnn9").modules() if isinstance(part, nn.Conv1d)]
    assert all(part.weight.is_contiguous() for part in convolutions)


@pytest.mark.gpu
@each_kind
def test_a_device_computes_what_the_cpu_computes(kind: str) -> None:
    """Evaluation, where no mask is drawn, and the gradient through attention and k-max."""
    inputs, results = texts(5), []
    for device in ("cpu", "cuda"):
        pool = pool_of(kind).to(device).eval()
        plan = plan_forward(pool.routes, [Unit(student, 0, False, True) for student in range(3)], training=False)
        logits = torch.stack(pool([inputs.to(device)], plan).logits)
        logits.square().sum().backward()
        gradients = [p.grad.cpu() for p in pool.parameters() if p.grad is not None]
        results.append([logits.detach().cpu(), *gradients])
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-8)
