from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from cgl_ignite.bench.evaluation import arithmetic_of, differs, holdout_batches, measure_evaluation
from cgl_ignite.bench.passes import ready
from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.pool import ModularNetwork, extract_student
from cgl_ignite.pool.cost import LayerCost

DIGITS = Path(__file__).resolve().parents[2] / "pipelines" / "digits_resnet.toml"
SMALL = ("method.students=3", "optim.batch_size=4")


def test_students_are_scored_alike_both_ways() -> None:
    found = measure_evaluation(load_pipeline(DIGITS, SMALL), 2, "cpu")
    assert found["rows"] == [128]
    assert found["deviation_of_logits"] < 1e-4
    assert found["alone_over_together"]["low"] > 0
    assert 0 < found["arithmetic"]["shared"] < found["arithmetic"]["as given"] == 1


def test_logits_that_differ_are_found() -> None:
    pool = ready(load_pipeline(DIGITS, [*SMALL, "run.device=cpu"])).pool
    students = [extract_student(pool, student) for student in range(3)]
    inputs = torch.rand(4, 1, 8, 8)
    assert differs(pool, students, inputs, torch.float32) < 1e-5
    with torch.no_grad():
        next(students[1][-1].parameters()).mul_(1.5)
    with pytest.raises(AssertionError, match="differ by"):
        differs(pool, students, inputs, torch.float32)


def test_shared_prefixes_of_an_evaluation_count_once() -> None:
    """Layer 0 costs 3, layer 1 costs 1: both students run module 0 and then modules 0 and 1."""
    pool = ModularNetwork([lambda: nn.Linear(2, 2), lambda: nn.Linear(2, 2)], [1, 2], seed=1)
    costs = [LayerCost(0, 3, 0, 0), LayerCost(0, 1, 0, 0)]
    paths = torch.tensor([[0, 0], [0, 1]])
    pool.route(paths, [0, 1], "shared")
    assert arithmetic_of(pool, costs) == (3 + 1 + 1) / (2 * 4)
    pool.route(paths, [0, 0], "student")
    assert arithmetic_of(pool, costs) == (3 + 1 + 1) / (2 * 4)


def test_batches_of_the_holdout_are_full() -> None:
    splits = ready(load_pipeline(DIGITS, [*SMALL, "data.holdout=500"])).splits
    cpu = torch.device("cpu")
    assert [len(batch.targets) for batch in holdout_batches(splits, 8, cpu)] == [128] * 3
    blocks = splits.holdout.targets.split(128)
    assert torch.equal(holdout_batches(splits, 1, cpu)[0].targets, blocks[1])
