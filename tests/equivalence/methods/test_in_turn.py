"""``method.update = "in turn"`` agrees with plain loops over students that update one after another."""

from __future__ import annotations

import pytest
import torch

from cgl_ignite.config.presets import METHODS
from cgl_ignite.errors import ConfigError
from tests.equivalence.methods import networks
from tests.equivalence.methods.in_turn import SequentialCGL, SequentialDML, SummedDML
from tests.equivalence.methods.package import EPOCHS, build, gradient, pipeline_of

IN_TURN = 'method.update="in turn"'
NETWORKS = {"image": networks.IMAGE, "text": networks.TEXT}
STEPS = 4
REFUSED = ("one", "okddip", "one_repo")
"""Their weights of imitation are learned."""


def close(found: torch.Tensor, expected: torch.Tensor, tolerance: float = 1e-12) -> None:
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


def optimizers(parameters: list[list[torch.nn.Parameter]], kind: str) -> list[torch.optim.Optimizer]:
    if kind == "sgd":
        return [torch.optim.SGD(own, lr=0.05, momentum=0.9) for own in parameters]
    return [torch.optim.Adam(own, lr=0.01) for own in parameters]


def agree(world, reference, kind: str, *, separate: bool, tolerance: float = 1e-12) -> None:
    """Train both for some iterations; compare losses and the last turn's gradients in each, and weights at the end."""
    flat = [parameter for row in reference.layers for module in row for parameter in module.parameters()]
    for mine, theirs in zip(flat, world.parameters, strict=True):
        mine.data.copy_(theirs.data)
    students = world.pipeline.method.students
    each = (
        [[p for part in network for p in part.parameters()] for network in reference.networks()] if separate else [flat]
    )
    steppers = optimizers(each, kind)
    batches = [world.batch(number) for number in range(STEPS)]
    seen = []

    def compare(engine) -> None:
        state = engine.state
        reference.paths = state.paths.tolist()
        batch = batches[state.epoch - 1]
        rows = list(zip(batch.inputs.split(batch.sizes), batch.targets.split(batch.sizes), strict=True))
        for k, (ce, kl, loss) in enumerate(reference.turns(rows, state.epoch - 1, state.imitated.tolist())):
            close(state.output.ce[k], ce.detach())
            close(state.output.kl[k], kl.detach())
            if loss is None:
                continue
            for parameter in flat:
                parameter.grad = None
            loss.backward()
            steppers[k if separate else 0].step()
            last = [gradient(parameter).clone() for parameter in flat]
        assert k == students - 1
        if batch.sizes[-1]:
            for found, expected in zip(world.parameters, last, strict=True):
                close(gradient(found), expected)
        seen.append(state.iteration)

    world.train(batches, compare)
    assert seen == list(range(1, STEPS + 1))
    for found, expected in zip(world.parameters, flat, strict=True):
        close(found.detach(), expected.detach(), tolerance)


@pytest.mark.parametrize(
    ("task", "optimizer", "tolerance"),
    [("image", "sgd", 1e-12), ("image", "adam", 1e-12), ("text", "sgd", 1e-12), ("text", "adam", 1e-7)],
)
def test_dml_updates_one_network_after_another(task: str, optimizer: str, tolerance: float) -> None:
    """The bias of an attention's keys has no gradient but rounding, which Adam makes a step of."""
    world = build("dml", task, optimizer, [IN_TURN])
    agree(world, SequentialDML(NETWORKS[task], EPOCHS), optimizer, separate=True, tolerance=tolerance)


def test_a_weight_of_all_peers_sums_their_divergences() -> None:
    world = build("dml", changes=[IN_TURN, "method.loss.imitation_weight=2"])
    agree(world, SummedDML(networks.IMAGE, EPOCHS), "sgd", separate=True)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("chunk", [1, 8])
def test_cgl_updates_one_sub_group_after_another(chunk: int, optimizer: str) -> None:
    world = build("cgl", "image", optimizer, [IN_TURN, f"run.batches_per_chunk={chunk}"])
    agree(world, SequentialCGL(networks.IMAGE, EPOCHS), optimizer, separate=False)


@pytest.mark.parametrize("preset", sorted(set(METHODS) - set(REFUSED)))
def test_every_method_without_learned_weights_trains_in_turn(preset: str) -> None:
    world = build(preset, changes=[IN_TURN])
    before = [parameter.detach().clone() for parameter in world.parameters]
    losses = []
    world.train([world.batch(n) for n in range(2)], lambda engine: losses.append(engine.state.output))
    used = {(layer, module) for path in world.pool.routes.paths for layer, module in enumerate(path)}
    for layer, row in enumerate(world.pool.layers):
        for module, part in enumerate(row):
            moved = [not torch.equal(p, before.pop(0)) for p in part.parameters()]
            assert any(moved) == ((layer, module) in used)
    assert all(loss.ce.shape == (world.pipeline.method.students,) for loss in losses)
    assert all(loss.ce.isfinite().all() and loss.kl.isfinite().all() for loss in losses)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_one_student_alone_is_its_own_turn(optimizer: str) -> None:
    together, in_turn = (build("baseline", "image", optimizer, changes) for changes in ([], [IN_TURN]))
    for world in (together, in_turn):
        world.train([world.batch(n) for n in range(3)])
    assert all(torch.equal(a, b) for a, b in zip(together.parameters, in_turn.parameters, strict=True))


def test_running_statistics_move_once_an_iteration() -> None:
    """Being asked by two others moves nothing: after one step from 0 the mean is a tenth of the batch's."""
    world = build("dml", changes=[IN_TURN, "method.loss.imitation_weight=0", "optim.learning_rate=1e-12"])
    together = build("dml", changes=["method.loss.imitation_weight=0", "optim.learning_rate=1e-12"])
    for one in (world, together):
        one.train([one.batch()])
    for found, expected in zip(world.pool.buffers(), together.pool.buffers(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("preset", REFUSED)
def test_learned_weights_need_all_students_at_once(preset: str) -> None:
    with pytest.raises(ConfigError, match=r"method\.update: 'in turn' trains no weights of imitation"):
        pipeline_of(preset, changes=[IN_TURN])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "method.loss.teacher_label_weight=1",
            r"method\.update: 'in turn' trains no weights of imitation and no teacher",
        ),
        ("run.graphs=true", r"run\.graphs: only an update 'together' is replayed"),
    ],
)
def test_what_else_cannot_be_in_turn(change: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        pipeline_of("dml", changes=[IN_TURN, change])
