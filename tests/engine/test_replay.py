"""Replayed iterations train as launched ones do.

A tape stands in for a CUDA graph: it records the operators that ran, and replays them on the same tensors. So what an
iteration reads from anywhere but its tensors is as it was when it was recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

import cgl_ignite
from cgl_ignite.bench.passes import Idle
from cgl_ignite.cli.main import cgl
from cgl_ignite.data import Batch
from cgl_ignite.engine import replay
from cgl_ignite.engine.step import CollaborativeStep
from cgl_ignite.engine.work import lay_out
from cgl_ignite.errors import InputError
from cgl_ignite.handlers.schedule import LearningRate
from cgl_ignite.imitation import CHOICES
from cgl_ignite.pool.dropout import AddressedDropout
from cgl_ignite.pool.scope import Scope
from cgl_ignite.seeding import stream
from tests.equivalence.methods.package import World, build

PIPELINES = Path(cgl_ignite.__file__).resolve().parents[1] / "pipelines"
RING = "method.choose={kind='regular', size=2}"
ITERATIONS = 8


class Tape(TorchDispatchMode):
    """Notes every operator with its tensors; a replay runs them again into the same results."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[tuple] = []

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        result = operator(*args, **(kwargs or {}))
        if not operator.is_view:
            self.notes.append((operator, *tree_map_only(Tensor, Tensor.detach, (args, kwargs or {}, result))))
        return result

    @torch.no_grad()
    def __call__(self) -> None:
        for operator, args, kwargs, noted in self.notes:
            again = operator(*args, **kwargs)
            for old, new in zip(tensors_of(noted), tensors_of(again), strict=True):
                if old is not new:
                    old.copy_(new)


def tensors_of(result: object) -> list[Tensor]:
    values = result if isinstance(result, (tuple, list)) else [result]
    return [value for value in values if isinstance(value, Tensor)]


class TapeRecorder:
    """Records like a CUDA graph, which does not run what it records: what the tape changed is put back.

    Args:
        changed: looks up weights and statistics.
    """

    def __init__(self, changed: Callable[[], list[Tensor]] = list) -> None:
        self.changed = changed
        self.launched = self.recorded = 0

    def launch(self, function: Callable[[], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        self.launched += 1
        return function()

    def record(self, function):
        self.recorded += 1
        changed = self.changed()
        before = [value.clone() for value in changed]
        with Tape() as tape:
            results = function()
        with torch.no_grad():
            for value, old in zip(changed, before, strict=True):
                value.copy_(old)
        return tape, results


def world_of(method: str, *changes: str) -> World:
    return build(method, optimizer="sgd", changes=["optim.learning_rate=0.0625", "optim.momentum=0.0", *changes])


def even_batch(world: World, number: int, rows: int = 6) -> Batch:
    generator = torch.Generator().manual_seed(number)
    groups, device = max(world.parts.subsets.group_of) + 1, world.parameters[0].device
    labels = torch.randint(len(world.parts.splits.classes), (rows * groups,), generator=generator)
    inputs = torch.randn(rows * groups, 1, 8, 8, generator=generator, dtype=torch.float64)
    return Batch(inputs.to(device), labels.to(device), (rows,) * groups)


def train(world: World, recorder: TapeRecorder | None, rows: Callable[[int], int] = lambda _: 6) -> list[Tensor]:
    """Train with a rate, a ramp and sub-groups that change; return losses, weights and statistics."""
    method, parts = world.pipeline.method, world.parts
    parts.pool.route(parts.routing.sample(stream(1, "paths")), parts.subsets.group_of, method.statistics)
    chunk = parts.batches_per_chunk
    step = CollaborativeStep(
        parts.pool, parts.aggregator, parts.optimizer, parts.subsets.group_of, method.loss, chunk, recorder
    )
    rate = LearningRate(parts.optimizer, 0.0625, lambda done: 0.5**done)
    choice, losses = CHOICES.build(method.choose, method.students), []
    for number in range(1, ITERATIONS + 1):
        imitated = choice.at(1, number)
        state = SimpleNamespace(imitated=imitated, ramp=number / ITERATIONS, iteration=number, epoch_length=1)
        engine = SimpleNamespace(state=state)
        rate(engine)
        result = step(engine, even_batch(world, number, rows(number)))
        losses += [result.ce, result.kl]
    return [*losses, *world.parameters, *parts.pool.buffers()]


def taped(world: World) -> TapeRecorder:
    return TapeRecorder(lambda: [*(weight.detach() for weight in world.parameters), *world.pool.buffers()])


def both(method: str, *changes: str, **options) -> TapeRecorder:
    """Train with and without a recorder from the same beginnings; the results must agree."""
    launched, replayed = world_of(method, *changes), world_of(method, *changes)
    expected = train(launched, None, **options)
    recorder = taped(replayed)
    found = train(replayed, recorder, **options)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)
    return recorder


@pytest.mark.parametrize("method", ["baseline", "dml", "cl_ilr", "one", "okddip"])
def test_methods_whose_students_read_the_same(method: str) -> None:
    recorder = both(method)
    assert (recorder.launched, recorder.recorded) == (replay.WARM_UP, 1)


@pytest.mark.parametrize("chunk", [8, 3])
def test_students_with_data_of_their_own_on_a_ring(chunk: int) -> None:
    recorder = both("cgl", RING, f"run.batches_per_chunk={chunk}")
    if chunk == 8:
        assert (recorder.launched, recorder.recorded) == (replay.WARM_UP, 1)


def test_sub_groups_of_any_size_are_launched() -> None:
    assert both("cgl").recorded == 0


def test_batches_of_another_size_are_recorded_by_themselves() -> None:
    recorder = both("baseline", rows=lambda number: 6 if number % 2 else 5)
    assert (recorder.launched, recorder.recorded) == (2 * replay.WARM_UP, 2)


def test_only_so_many_recordings_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "MOST", 1)
    assert both("baseline", rows=lambda number: 6 if number % 2 else 5).recorded == 1


def test_kinds_that_never_come_again_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "REMEMBERED", 5)
    run = replay.Replay(TapeRecorder(), torch.optim.SGD([nn.Parameter(torch.ones(1))]))
    for number in range(20):
        run(number, lambda rows: (rows,), (torch.ones(1),))
    assert len(run.seen) <= 5


def test_uneven_batches_are_launched() -> None:
    world = world_of("cgl", RING)
    method, parts = world.pipeline.method, world.parts
    parts.pool.route(parts.routing.sample(stream(1, "paths")), parts.subsets.group_of, method.statistics)
    recorder = taped(world)
    step = CollaborativeStep(
        parts.pool, parts.aggregator, parts.optimizer, parts.subsets.group_of, method.loss, 8, recorder
    )
    imitated = CHOICES.build(method.choose, method.students).at(1, 1)
    state = SimpleNamespace(imitated=imitated, ramp=1.0, iteration=1)
    for _ in range(2 * replay.WARM_UP):
        step(SimpleNamespace(state=state), world.batch(1))
    assert (recorder.launched, recorder.recorded) == (2 * replay.WARM_UP, 0)


def test_adam_reads_its_rate_on_the_device() -> None:
    weight = nn.Parameter(torch.ones(3))
    optimizer = torch.optim.Adam([weight], 0.5, fused=True)
    run = replay.Replay(TapeRecorder(), optimizer)
    run("key", lambda rows: (rows,), (torch.ones(1),))
    (group,) = optimizer.param_groups
    assert isinstance(group["lr"], Tensor)
    assert (group["lr"].item(), group["capturable"]) == (0.5, True)


def test_what_cannot_be_replayed() -> None:
    plain, cuda = nn.Linear(1, 1), torch.device("cuda")
    cpu, dropout = torch.device("cpu"), AddressedDropout(nn.Dropout(0.1), Scope())
    assert replay.find_recorder(False, cuda, plain, alike=True) is None
    with pytest.raises(InputError, match=r"run\.graphs = true: only a GPU"):
        replay.find_recorder(True, cpu, plain, alike=True)
    with pytest.raises(InputError, match=r"backbone\.dropout = 0\.0"):
        replay.find_recorder(True, cuda, dropout, alike=True)
    for device, pool, alike in ((cpu, plain, True), (cuda, dropout, True), (cuda, plain, False)):
        assert replay.find_recorder("auto", device, pool, alike=alike) is None


def test_a_cpu_cannot_replay(tmp_path: Path) -> None:
    changes = ["run.graphs=true", "run.device=cpu", "data.limit=400", "run.epochs=1", f"tracking.folder={tmp_path}"]
    arguments = [str(PIPELINES / "digits_resnet.toml"), *(f"--set={change}" for change in changes)]
    result = CliRunner().invoke(cgl, ["run", *arguments])
    assert result.exit_code == 2
    assert "run.graphs = true: only a GPU can replay iterations" in " ".join(result.output.split())
    assert not any(path.is_dir() for path in tmp_path.iterdir()), "no run has begun"


def test_an_optimizer_without_a_rate_is_replayed() -> None:
    weight = nn.Parameter(torch.ones(1))
    run = replay.Replay(TapeRecorder(), Idle([weight]))
    for _ in range(6):
        (found,) = run("key", lambda tensor: (tensor * 2,), [torch.ones(1)])
    assert found == 2
    assert run.recordings


@pytest.mark.gpu
def test_what_is_replayed_unasked() -> None:
    assert replay.find_recorder("auto", torch.device("cuda"), nn.Linear(1, 1), alike=True) is not None


@pytest.mark.gpu
@pytest.mark.parametrize(("method", "changes"), [("baseline", ()), ("dml", ()), ("okddip", ()), ("cgl", (RING,))])
def test_cuda_graphs(method: str, changes: tuple[str, ...]) -> None:
    results = []
    for recorder in (None, replay.CudaRecorder()):
        world = world_of(method, *changes)
        world.pool.to("cuda")
        world.aggregator.to("cuda")
        results.append(train(world, recorder))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


def test_equal_work_on_a_ring() -> None:
    world = world_of("cgl", RING)
    parts = world.parts
    parts.pool.route(parts.routing.sample(stream(1, "paths")), parts.subsets.group_of)
    group_of, groups = parts.subsets.group_of, list(range(8))
    choice = CHOICES.build(world.pipeline.method.choose, 8)
    drawn = [choice.at(1, number) for number in range(5)]
    works = [
        lay_out(parts.pool.routes, group_of, groups, [6] * 8, imitated, gradient=True, separate=True)
        for imitated in drawn
    ]
    assert len(set(works)) == 1
    assert len({work.groups for work in works}) == 5
    assert all(sum(work.sizes) == 8 * 3 * 6 for work in works)
    shared = [lay_out(parts.pool.routes, group_of, groups, [6] * 8, imitated, gradient=True) for imitated in drawn]
    assert len(set(shared)) == 5
