from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from ignite.engine import Engine, Events

from cgl_ignite.errors import RunFailed
from cgl_ignite.handlers import averages
from cgl_ignite.handlers.averages import TrainingAverages
from cgl_ignite.handlers.state import StudentLosses

CPU = torch.device("cpu")
SIZES = [(4, 4), (4, 2), (2, 0)]
CE = [[[1.0, 2.0], [3.0, 4.0], [5.0, 0.0]], [[2.0, 2.0], [2.0, 2.0], [2.0, 0.0]]]
KL = [[[0.5, 0.0], [0.5, 6.0], [0.5, 0.0]], [[0.0, 1.0], [0.0, 1.0], [0.0, 0.0]]]
MEANS = [([(4 + 12 + 10) / 10, (8 + 8) / 6], [0.5, 12 / 6]), ([2.0, 2.0], [0.0, 1.0])]


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(averages, "time", clock)
    return clock


def trainer(handler: TrainingAverages, clock: Clock, seconds: float = 0.25) -> Engine:
    """Three iterations an epoch with known losses, each taking some time; evaluation takes long."""

    def step(engine: Engine, _) -> StudentLosses:
        clock.now += seconds
        epoch, index = engine.state.epoch - 1, (engine.state.iteration - 1) % 3
        return StudentLosses(torch.tensor(CE[epoch][index]), torch.tensor(KL[epoch][index]), SIZES[index])

    engine = Engine(step)
    handler.attach(engine)
    engine.state.seen = []

    @engine.on(Events.EPOCH_COMPLETED)
    def evaluate(engine: Engine) -> None:
        clock.now += 1000
        state = engine.state
        state.seen.append(
            SimpleNamespace(training=state.training, speed=state.samples_per_second, seconds=state.train_seconds)
        )

    return engine


def test_a_loss_is_the_mean_over_the_samples_a_student_read(clock: Clock) -> None:
    engine = trainer(TrainingAverages(2, CPU), clock)
    engine.run([0] * 3, max_epochs=2)
    for seen, (ce, kl) in zip(engine.state.seen, MEANS, strict=True):
        assert seen.training.ce == pytest.approx(ce)
        assert seen.training.kl == pytest.approx(kl)


def test_speed_and_seconds_leave_evaluation_out(clock: Clock) -> None:
    engine = trainer(TrainingAverages(2, CPU), clock)
    engine.run([0] * 3, max_epochs=2)
    assert [seen.seconds for seen in engine.state.seen] == pytest.approx([0.75, 1.5])
    assert [seen.speed for seen in engine.state.seen] == pytest.approx([16 / 0.75] * 2)


@pytest.mark.parametrize("stop", [1, 2, 3, 4, 5])
def test_sums_and_seconds_survive_a_stop_after_any_iteration(clock: Clock, stop: int) -> None:
    first = TrainingAverages(2, CPU)
    engine = trainer(first, clock)
    saved: dict = {}

    @engine.on(Events.ITERATION_COMPLETED(once=stop))
    def save(engine: Engine) -> None:
        saved.update(first.state_dict())
        engine.terminate()

    engine.run([0] * 3, max_epochs=2)
    clock.now += 5000
    second = TrainingAverages(2, CPU)
    second.load_state_dict(saved)
    resumed = trainer(second, clock)
    resumed.load_state_dict({"epoch_length": 3, "iteration": stop, "max_epochs": 2})
    resumed.run([0] * 3, max_epochs=2, epoch_length=3)
    last = resumed.state.seen[-1]
    assert last.training.ce == pytest.approx(MEANS[1][0])
    assert last.training.kl == pytest.approx(MEANS[1][1])
    assert last.seconds == pytest.approx(1.5)
    assert last.speed == pytest.approx(16 / 0.75)


def test_saving_twice_counts_no_second_twice(clock: Clock) -> None:
    handler = TrainingAverages(2, CPU)
    engine = trainer(handler, clock)
    engine.add_event_handler(Events.ITERATION_COMPLETED, lambda _: [handler.state_dict(), handler.state_dict()])
    engine.run([0] * 3, max_epochs=1)
    assert handler.state_dict()["seconds"] == pytest.approx(0.75)


def test_a_student_that_read_nothing_has_no_loss() -> None:
    engine = Engine(lambda engine, _: StudentLosses(torch.tensor([1.0, 0.0]), torch.zeros(2), (4, 0)))
    TrainingAverages(2, CPU).attach(engine)
    engine.run([0], max_epochs=1)
    assert engine.state.training.ce == [1.0, 0.0]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("which", ["ce", "kl"])
def test_a_loss_that_is_not_finite_ends_the_run_and_says_what_helps(value: float, which: str) -> None:
    losses = {"ce": torch.ones(2), "kl": torch.ones(2), which: torch.tensor([1.0, value])}
    engine = Engine(lambda engine, _: StudentLosses(**losses, sizes=(2, 2)))
    engine.add_event_handler(Events.EPOCH_STARTED, lambda engine: setattr(engine.state, "learning_rate", 0.004))
    TrainingAverages(2, CPU).attach(engine)
    with pytest.raises(RunFailed, match=r"not finite in epoch 1; a smaller optim\.learning_rate \(now 0\.004\)"):
        engine.run([0], max_epochs=3)
