from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from ignite.engine import Engine, Events

from cgl_ignite.handlers.recording import MetricsRecorder, TestRecorder, peak_memory
from cgl_ignite.handlers.state import Scores, TrainingLosses
from cgl_ignite.selection import Selected
from cgl_ignite.tracking import Journal, RunInfo
from cgl_ignite.tracking.memory import MemoryTracker

CPU = torch.device("cpu")


class CountingSystem:
    """Counts how often it is asked for a sample."""

    def __init__(self) -> None:
        self.polls = 0

    def poll(self) -> None:
        self.polls += 1

    def values(self) -> dict[str, float]:
        polls, self.polls = self.polls, 0
        return {"system/polls": float(polls)}


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal.create(tmp_path, MemoryTracker(), RunInfo("experiment", "name", seed=1))


def train(journal: Journal, system: Any) -> Engine:
    """Train two students for two epochs of three iterations, with scores that are known."""
    engine = Engine(lambda engine, _: None)

    @engine.on(Events.EPOCH_COMPLETED)
    def judge(engine: Engine) -> None:
        state, epoch = engine.state, engine.state.epoch
        state.training = TrainingLosses(ce=[1.0 / epoch, 3.0 / epoch], kl=[0.5, 0.0])
        state.holdout = Scores([50.0 + epoch, 60.0 + epoch], [0.7, 0.6], 0.25, [[0, 0.25], [0.25, 0]], {})
        state.selected = Selected(epoch, 1, 60.0 + epoch)
        state.ramp, state.learning_rate, state.samples_per_second = 0.3, 0.01, 1000.0

    @engine.on(Events.COMPLETED)
    def test(engine: Engine) -> None:
        engine.state.test = Scores([40.0, 70.0], [0.9, 0.5], 0.2, [[0, 0.2], [0.2, 0]], {})

    MetricsRecorder(journal, system, CPU).attach(engine)
    TestRecorder(journal).attach(engine)
    engine.run([0] * 3, max_epochs=2)
    return engine


def test_every_epoch_is_one_row_with_all_that_is_known(journal: Journal) -> None:
    engine = train(journal, CountingSystem())
    first, second, _ = journal.rows
    assert [first.epoch, second.epoch] == [1, 2]
    assert not first.final
    expected = {
        "training/cross_entropy/student_1": 1.5,
        "training/imitation_mean": 0.25,
        "holdout/accuracy_selected": 62.0,
        "holdout/diversity": 0.25,
        "selected/student": 1.0,
        "schedule/ramp": 0.3,
        "schedule/learning_rate": 0.01,
        "speed/samples_per_second": 1000.0,
        "speed/peak_memory_megabytes": engine.state.peak_memory / 1e6,
        "system/polls": 3.0,
    }
    assert expected.items() <= second.values.items()


def test_the_test_set_is_one_final_row_without_the_epoch(journal: Journal) -> None:
    train(journal, CountingSystem())
    *_, final = journal.rows
    assert final.final
    assert final.epoch == 2
    assert final.values["test/accuracy_selected"] == 70
    assert final.values["test/accuracy_mean"] == 55
    assert all(key.startswith("test/") for key in final.values)
    assert not any(key.startswith("test/") for row in journal.rows[:2] for key in row.values)


def test_rows_reach_the_tracker_once_an_epoch(journal: Journal) -> None:
    train(journal, CountingSystem())
    assert journal.tracker.calls.count("log") == 3
    assert journal.tracker.runs[journal.run_id].rows == journal.rows


def test_peak_memory_is_that_of_the_process_in_bytes() -> None:
    now = psutil.Process().memory_info().rss
    assert 0.99 * now <= peak_memory(CPU) < psutil.virtual_memory().total
