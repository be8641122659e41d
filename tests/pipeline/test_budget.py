"""What a comparison predicts is what its runs do."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cgl_ignite.catalogue import bind_methods
from cgl_ignite.config.load import load_document
from cgl_ignite.handlers.interruption import Interruption
from cgl_ignite.pipeline.assemble import assemble, read_data
from cgl_ignite.pipeline.budget import budget, budgets, steps_of_a_pass, with_passes

DIGITS = Path(__file__).resolve().parents[2] / "pipelines" / "digits_resnet.toml"
SMALL = ["backbone.width=4", "run.epochs=3", "data.limit=400", "data.holdout=80"]


def pipelines(*changes: str, names=("baseline", "dml", "cgl")):
    return bind_methods(load_document(DIGITS, [*SMALL, *changes]), names)


@pytest.mark.parametrize("batch", [16, 13, 39])
def test_steps_are_those_of_the_batches(batch):
    """320 training rows, eight sub-sets of 40: the last batch of a single row (13 * 3 + 1) is left out."""
    for pipeline in pipelines(f"optim.batch_size={batch}", "run.passes_per_epoch=2").values():
        source = read_data(pipeline)
        parts = assemble(pipeline, source, 1, torch.device("cpu"), Interruption())
        assert 2 * steps_of_a_pass(pipeline, source) == parts.batches.epoch_length
        assert budget(pipeline, source).steps == 3 * parts.batches.epoch_length


def test_students_that_share_nothing_add_up():
    """Three students that share nothing and read the same rows cost three times what one costs."""
    both = pipelines(names=("baseline", "dml"))
    costs = budgets(both, read_data(both["baseline"]), equal=False)
    assert costs["dml"].multiply_adds == pytest.approx(3 * costs["baseline"].multiply_adds)
    assert costs["dml"].work == pytest.approx(3 * costs["baseline"].work)
    assert costs["baseline"].work == pytest.approx(3 * 20 * 16 * costs["baseline"].multiply_adds)


def test_equal_steps_are_the_fewest_passes_that_reach_the_most():
    """320 rows in 20 iterations, 40 rows in 3: seven passes are 21."""
    all_three = pipelines()
    costs = budgets(all_three, read_data(all_three["cgl"]), equal=True)
    assert {name: (cost.passes, cost.steps) for name, cost in costs.items()} == {
        "baseline": (1, 60),
        "dml": (1, 60),
        "cgl": (7, 63),
    }


def test_equal_steps_start_from_the_passes_that_are_asked_for():
    all_three = pipelines("run.passes_per_epoch=2")
    costs = budgets(all_three, read_data(all_three["cgl"]), equal=True)
    assert {name: cost.passes for name, cost in costs.items()} == {"baseline": 2, "dml": 2, "cgl": 14}


def test_other_passes_change_nothing_else():
    before = pipelines()["cgl"]
    after = with_passes(before, 5)
    assert after.run.passes_per_epoch == 5 and with_passes(after, 1) == before
