from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from cgl_ignite.bench.progress import watching_rounds
from cgl_ignite.bench.race import MOST_ITERATIONS, Race, RaceOver, has_loops
from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.schema import Loss

DIGITS = Path(__file__).resolve().parents[2] / "pipelines" / "digits_resnet.toml"
STATE = SimpleNamespace(output=None, batch=SimpleNamespace(inputs=torch.zeros(1)))


@pytest.mark.parametrize(("seconds", "iterations"), [(0.1, 3), (0.35, 1), (2.0, 1), (1e-9, MOST_ITERATIONS)])
def test_a_round_is_as_long_as_it_should_be(seconds: float, iterations: int) -> None:
    now, told = [0.0], []
    race = Race({}, 4, 0, lambda: now[0])
    race.start(None)

    def iterate() -> None:
        while True:
            now[0] += seconds
            race.iteration(STATE)

    with watching_rounds(lambda *done: told.append(done)), pytest.raises(RaceOver):
        iterate()
    assert race.iterations == iterations
    assert race.times["trainer"] == pytest.approx([seconds] * 4, rel=1e-3)
    assert now[0] == pytest.approx((2 + 2 * iterations) * seconds)
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize(
    ("changes", "there"),
    [
        ([], True),
        (["method.loss.temperature=2.0"], True),
        (["method.preset=baseline"], True),
        (["method.preset=dml"], False),
        (["method.preset=okddip"], False),
        (["method.statistics=shared"], False),
        (["method.subsets.kind=whole"], False),
        (["method.preset=baseline", "optim.weight_decay=0.1"], False),
        (["optim.kind=sgd"], False),
        (["optim.clip_norm=1.0"], False),
        (["run.average={kind='ema'}"], False),
        (["run.average={kind='ema'}", "method.teachers=['average']", "method.preset=baseline"], False),
    ],
)
def test_loops_by_hand_are_for_what_they_compute(changes: list[str], there: bool) -> None:
    assert has_loops(load_pipeline(DIGITS, changes)) is there


ALONE = {
    "temperature": (2.0, True),
    "temperature_squared": (False, True),
    "mixes": ("losses", True),
    "teacher_gradient": ("stopped", True),
    "imitation_weight": (0.5, True),
    "trunk_gradient": ("mean", True),
    "label_weight": (0.5, False),
    "teacher_label_weight": (1.0, False),
}
"""Another value of a constant of the loss, and whether a student alone has the same loss with it; 0.5 for others."""


@pytest.mark.parametrize("name", Loss.model_fields)
def test_the_loop_of_one_student_has_the_whole_cross_entropy(name: str) -> None:
    value, there = ALONE.get(name, (0.5, False))
    pipeline = load_pipeline(DIGITS, ["method.preset=baseline"])
    assert has_loops(pipeline)
    loss = pipeline.method.loss.model_copy(update={name: value})
    method = pipeline.method.model_copy(update={"loss": loss})
    assert has_loops(pipeline.model_copy(update={"method": method})) is there


def test_a_new_constant_of_the_loss_has_no_loop() -> None:
    """Until somebody writes it into the loops, or names it as one of imitation."""

    class Smoothed(Loss):
        smoothing: float = 0.1

    pipeline = load_pipeline(DIGITS, ["method.preset=baseline"])
    method = pipeline.method.model_copy(update={"loss": Smoothed()})
    assert not has_loops(pipeline.model_copy(update={"method": method}))
