from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from cgl_ignite.backbones import Backbone
from cgl_ignite.backbones.resnet import resnet8, resnet18, resnet34
from cgl_ignite.pool import ModularNetwork, Unit, add_classifier, extract_student, modular_layers, network, plan_forward
from cgl_ignite.pool.normalisation import StudentBatchNorm
from cgl_ignite.pool.routing import random
from cgl_ignite.seeding import stream
from cgl_ignite.spec import InputSpec

WIDTH, CLASSES = 3, 4
BATCH = torch.linspace(-1, 1, 5 * 2 * 4).view(5, 2, 4) ** 3


def stem() -> nn.Module:
    return nn.Sequential(nn.Conv1d(2, WIDTH, 1), nn.BatchNorm1d(WIDTH), nn.Tanh())


def body() -> nn.Module:
    return nn.Sequential(nn.Conv1d(WIDTH, WIDTH, 3, padding=1), nn.BatchNorm1d(WIDTH), nn.Tanh())


def last() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(4 * WIDTH, CLASSES))


def dropped() -> nn.Module:
    return nn.Sequential(nn.Dropout(0.5), last())


def make_pool(paths: list[list[int]], group_of: list[int], statistics: str = "student", layers=(stem, body, last)):
    pool = ModularNetwork(layers, [2] * 3, seed=1)
    pool.route(torch.tensor(paths), group_of, statistics)
    return pool


def run(
    pool: ModularNetwork, units: list[Unit], *batches: Tensor, training: bool = True
) -> dict[tuple[int, int], Tensor]:
    plan = plan_forward(pool.routes, units, training=training)
    nodes = pool.train(training)(batches, plan).logits
    return {unit: nodes[node] for unit, node in plan.outputs.items()}


def statistics(pool: ModularNetwork) -> dict[str, Tensor]:
    return {name: buffer.clone() for name, buffer in pool.named_buffers()}


def norms(pool: ModularNetwork, layer: int) -> list[StudentBatchNorm]:
    return [part for part in pool.layers[layer].modules() if isinstance(part, StudentBatchNorm)]


def trained(pool: ModularNetwork) -> int:
    return sum(parameter.numel() for parameter in pool.parameters())


@pytest.mark.parametrize(
    ("builder", "module", "shared"),
    [(resnet18, 22_440_264, 22_388_964), (resnet34, 42_656_584, 42_605_284)],
)
def test_parameters_of_the_papers_pools(builder, module: int, shared: int) -> None:
    backbone = builder(InputSpec("image", (3, 32, 32)), 100)
    layers = len(backbone.layers)
    for reading, parameters in {"module": module, "shared": shared, "student": shared + 7 * 51_300}.items():
        routing = add_classifier(random(8, [1] * layers, modules=2), 8, reading)
        with torch.device("meta"):
            pool = ModularNetwork(modular_layers(backbone), routing.modules, seed=1)
        assert trained(pool) == parameters


def test_parameters_do_not_depend_on_the_number_of_students() -> None:
    backbone = resnet8(InputSpec("image", (1, 8, 8)), 10, width=4)
    counts = set()
    for students in (1, 2, 8, 16):
        routing = random(students, [1] * 4, modules=2)
        pool = ModularNetwork(modular_layers(backbone), routing.modules, seed=1)
        pool.route(routing.sample(stream(1, "paths")), range(students))
        counts.add(trained(pool))
    assert counts == {2 * sum(p.numel() for builder in modular_layers(backbone) for p in builder().parameters())}


def test_the_classifier_is_the_last_layer() -> None:
    values = BATCH
    layers = modular_layers(Backbone((stem, body), last, stages=(1, 1)))
    for builder in layers:
        values = builder()(values)
    assert len(layers) == 3
    assert values.shape == (5, CLASSES)


def test_a_classifier_without_a_column_follows_the_last_module() -> None:
    pool = ModularNetwork([stem, body, last], [2, 3], seed=1)
    pool.route(torch.tensor([[0, 2], [1, 0]]), [0, 1])
    assert [len(row) for row in pool.layers] == [2, 3, 3]
    assert pool.routes.paths == ((0, 2, 2), (1, 0, 0))


def test_a_module_starts_from_its_own_address() -> None:
    small, large = (ModularNetwork([stem, body], [modules, 2], seed=1) for modules in (2, 3))
    other = ModularNetwork([stem, body], [2, 2], seed=2)
    for layer in (0, 1):
        for module in (0, 1):
            weight = small.layers[layer][module][0].weight
            assert torch.equal(weight, large.layers[layer][module][0].weight)
            assert not torch.equal(weight, other.layers[layer][module][0].weight)
        assert not torch.equal(small.layers[layer][0][0].weight, small.layers[layer][1][0].weight)
    alike = ModularNetwork([body, body], [1, 1], seed=1)
    assert not torch.equal(alike.layers[0][0][0].weight, alike.layers[1][0][0].weight)


def test_students_on_one_module_share_its_storage() -> None:
    pool = make_pool([[0, 0, 0], [0, 1, 0]], [0, 1])
    for student in (0, 1):
        outputs = run(pool, [Unit(student, 0, own=True, gradient=True)], BATCH)
        pool.zero_grad()
        outputs[student, 0].sum().backward()
        with torch.no_grad():
            pool.layers[0][0][0].weight -= pool.layers[0][0][0].weight.grad
    first, second = (extract_student(pool, student)[0][0].weight for student in (0, 1))
    assert torch.equal(first, second)
    assert torch.equal(first, pool.layers[0][0][0].weight)


def test_a_step_changes_only_modules_on_used_paths() -> None:
    pool = make_pool([[0, 1, 0], [0, 0, 1], [1, 0, 0]], [0, 1, 2])
    before = {name: value.clone() for name, value in pool.named_parameters()}
    outputs = run(pool, [Unit(0, 0, own=True, gradient=True), Unit(1, 1, own=True, gradient=True)], BATCH, BATCH)
    torch.stack(list(outputs.values())).square().sum().backward()
    torch.optim.SGD(pool.parameters(), lr=0.1).step()
    changed = {name for name, value in pool.named_parameters() if not torch.equal(value, before[name])}
    used = ("layers.0.0.", "layers.1.0.", "layers.1.1.", "layers.2.0.", "layers.2.1.")
    assert {name for name in before if not name.startswith(used)} == {n for n in before if n.startswith("layers.0.1.")}
    assert not any(name.startswith("layers.0.1.") for name in changed)
    for prefix in used:
        assert any(name.startswith(prefix) for name in changed)


def test_a_unit_without_gradient_leaves_none() -> None:
    pool = make_pool([[0, 0, 0], [0, 1, 0]], [0, 1])
    outputs = run(pool, [Unit(0, 0, own=True, gradient=True), Unit(1, 0, own=False, gradient=False)], BATCH)
    assert outputs[0, 0].requires_grad
    assert not outputs[1, 0].requires_grad


def test_batches_of_different_sizes_run_together() -> None:
    pool = make_pool([[0, 0, 0], [0, 1, 0]], [0, 1])
    units = [Unit(student, batch, own=False, gradient=False) for student in (0, 1) for batch in (0, 1)]
    outputs = run(pool, units, BATCH[:2], BATCH[2:])
    for unit in units:
        alone = run(pool, [unit], BATCH[:2], BATCH[2:])[unit.student, unit.batch]
        assert alone.shape == (2 if unit.batch == 0 else 3, CLASSES)
        torch.testing.assert_close(outputs[unit.student, unit.batch], alone)


@pytest.mark.parametrize("training", [True, False])
def test_large_nodes_run_one_by_one_to_the_same_effect(monkeypatch: pytest.MonkeyPatch, training: bool) -> None:
    effects = []
    units = [
        Unit(student, batch, own=student == batch, gradient=batch < 2) for student in (0, 1, 2) for batch in (0, 1, 2)
    ]
    for large in (0, 2**40):
        monkeypatch.setattr(network, "LARGE", large)
        pool = make_pool([[0, 0, 0], [0, 1, 0], [1, 0, 1]], [0, 1, 2], layers=(stem, body, dropped)).double()
        outputs = run(pool, units, BATCH.double(), 2 * BATCH[:3].double(), BATCH[2:].double() + 1, training=training)
        sum(outputs[unit.student, unit.batch].square().sum() for unit in units if unit.gradient).backward()
        effects.append([outputs, statistics(pool), {name: value.grad for name, value in pool.named_parameters()}])
    for apart, together in zip(*effects, strict=True):
        assert apart.keys() == together.keys()
        for name, value in apart.items():
            torch.testing.assert_close(value, together[name])


@pytest.mark.parametrize(("device", "large"), [("cpu", network.LARGE), ("meta", network.BUSY)])
def test_what_is_normalised_together_depends_on_the_device(device: str, large: int) -> None:
    pool = make_pool([[0, 0, 0], [0, 1, 0]], [0, 1]).to(device)
    run(pool, [Unit(0, 0, own=True, gradient=True), Unit(1, 1, own=True, gradient=True)], *[BATCH.to(device)] * 2)
    assert pool.scope.large == large


@pytest.mark.parametrize(
    ("paths", "group_of", "reading", "slots"),
    [
        ([[0, 0, 0], [0, 1, 0]], [0, 1], "shared", [[0, 0, 0], [0, 0, 0]]),
        ([[0, 0, 0], [0, 0, 0]], [0, 1], "student", [[0, 0, 0], [1, 1, 0]]),
        ([[0, 0, 0], [0, 1, 0], [0, 1, 1]], [0, 0, 0], "student", [[0, 0, 0], [0, 1, 0], [0, 1, 0]]),
        ([[0, 0, 0], [1, 0, 0], [0, 0, 1]], [0, 0, 1], "student", [[0, 0, 0], [1, 1, 0], [2, 2, 0]]),
    ],
    ids=["one row a module", "own data", "a shared trunk on the same data", "same data but other paths"],
)
def test_rows_of_running_statistics(paths, group_of: list[int], reading: str, slots: list[list[int]]) -> None:
    """The last layer of this pool keeps none."""
    pool = make_pool(paths, group_of, reading)
    assert [list(row) for row in pool.routes.slots] == slots
    for layer in (0, 1):
        for norm in norms(pool, layer):
            assert len(norm.running_mean) == len(norm.running_var) == max(row[layer] for row in slots) + 1


def test_own_batches_move_the_statistics_of_their_student_alone() -> None:
    pool = make_pool([[0, 0, 0], [0, 1, 0]], [0, 1])
    run(pool, [Unit(0, 0, own=True, gradient=True), Unit(1, 0, own=False, gradient=True)], BATCH)
    (shared, idle), (first, second) = norms(pool, 0), norms(pool, 1)
    assert shared.running_mean[0].all() and first.running_mean[0].all()
    for untouched in (shared.running_mean[1], first.running_mean[1], second.running_mean, idle.running_mean):
        assert not untouched.any()
    for untouched in (shared.running_var[1], first.running_var[1], second.running_var, idle.running_var):
        assert torch.equal(untouched, torch.ones_like(untouched))


def test_shared_statistics_are_moved_by_every_student() -> None:
    pool = make_pool([[0, 0, 0], [0, 1, 0]], [0, 1], "shared")
    run(pool, [Unit(0, 0, own=True, gradient=True), Unit(1, 1, own=True, gradient=True)], BATCH, 2 * BATCH)
    convolution, norm = pool.layers[0][0][0], norms(pool, 0)[0]
    first, second = (convolution(batch).mean(dim=(0, 2)) for batch in (BATCH, 2 * BATCH))
    torch.testing.assert_close(norm.running_mean[0], (0.9 * 0.1 * first + 0.1 * second).detach())


def test_evaluating_a_student_changes_no_statistics() -> None:
    pool = make_pool([[0, 0, 0], [0, 1, 0]], [0, 1])
    run(pool, [Unit(student, student, own=True, gradient=True) for student in (0, 1)], BATCH, 2 * BATCH)
    before = statistics(pool)
    for student in (0, 1):
        run(pool, [Unit(student, 0, own=True, gradient=False)], BATCH, training=False)
    after = statistics(pool)
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_evaluation_normalises_with_the_statistics_of_each_student() -> None:
    pool = make_pool([[0, 0, 0], [0, 0, 0]], [0, 1])
    for _ in range(3):
        run(pool, [Unit(student, student, own=True, gradient=True) for student in (0, 1)], BATCH, 2 * BATCH + 1)
    outputs = run(pool, [Unit(student, 0, own=False, gradient=False) for student in (0, 1)], BATCH, training=False)
    assert not torch.allclose(outputs[0, 0], outputs[1, 0])
    for student in (0, 1):
        torch.testing.assert_close(outputs[student, 0], extract_student(pool, student)(BATCH))


def test_establishing_students_anew_gives_them_fresh_statistics() -> None:
    pool = make_pool([[0, 0, 0]], [0])
    run(pool, [Unit(0, 0, own=True, gradient=True)], BATCH)
    pool.route(torch.tensor([[0, 0, 0], [1, 1, 1]]), [0, 1])
    assert all(not norm.running_mean.any() for layer in (0, 1) for norm in norms(pool, layer))


class Twice(nn.Module):
    """One norm under two names, used in both places."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.BatchNorm1d(2)
        self.second = self.first

    def forward(self, inputs: Tensor) -> Tensor:
        return self.second(self.first(inputs) ** 3)


def test_a_norm_under_two_names_is_replaced_under_both() -> None:
    pool = ModularNetwork([Twice], [1], seed=1)
    assert not any(type(part) is nn.BatchNorm1d for part in pool.modules())


def test_scoring_shares_prefixes_up_to_the_first_statistics_that_differ() -> None:
    """Layers 0 and 1 keep none; from layer 2 on students with data of their own are computed by themselves."""
    keeping = [lambda: nn.Linear(2, 2), lambda: nn.Linear(2, 2), lambda: nn.BatchNorm1d(2), lambda: nn.Linear(2, 2)]
    pool = ModularNetwork(keeping, [1, 2, 1, 1], seed=1)
    pool.route(torch.tensor([[0, 0, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0]]), [0, 1, 2])
    units = [Unit(student, 0, own=False, gradient=False) for student in range(3)]
    plan = plan_forward(pool.routes, units, training=False)
    assert [sum(len(call.sources) for call in calls) for calls in plan.layers] == [1, 2, 3, 3]
    for layer in pool.layers[2].modules():
        if isinstance(layer, StudentBatchNorm):
            layer.running_mean.copy_(torch.arange(6.0).view(3, 2))
    inputs = torch.randn(4, 2, generator=torch.Generator().manual_seed(1))
    outputs = pool.eval()([inputs], plan).logits
    for student in range(3):
        torch.testing.assert_close(outputs[plan.outputs[student, 0]], extract_student(pool, student)(inputs))
