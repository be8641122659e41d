"""What a comparison predicts is what its runs do."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
import torch

from cgl_ignite.catalogue import bind_methods
from cgl_ignite.comparison.budget import budget, budgets, steps_of_a_pass, with_epochs, with_passes
from cgl_ignite.config.load import load_document
from cgl_ignite.errors import InputError
from cgl_ignite.handlers.interruption import Interruption
from cgl_ignite.pipeline.assemble import assemble, blueprint
from cgl_ignite.pipeline.data import read_data
from cgl_ignite.pool import modular_layers
from cgl_ignite.pool.cost import measure_layers, plan_cost
from cgl_ignite.seeding import stream

DIGITS = Path(__file__).resolve().parents[2] / "pipelines" / "digits_resnet.toml"
SMALL = ["backbone.width=4", "run.epochs=3", "data.limit=400", "data.holdout=80"]


def pipelines(*changes: str, names=("baseline", "dml", "cgl")):
    return bind_methods(load_document(DIGITS, [*SMALL, *changes]), names)


@pytest.mark.parametrize("batch", [16, 13, 39])
def test_steps_are_those_of_the_batches(batch):
    """320 training rows, eight sub-sets of 40: the last batch of a single row (13 * 3 + 1) is left out."""
    for pipeline in pipelines(f"optim.batch_size={batch}", "run.passes_per_epoch=2").values():
        data = read_data(pipeline)
        source, parts = data.source, assemble(pipeline, data, 1, torch.device("cpu"), Interruption())
        assert 2 * steps_of_a_pass(pipeline, source) == parts.batches.epoch_length
        assert budget(pipeline, source).steps == 3 * parts.batches.epoch_length


def test_students_that_share_nothing_add_up():
    """Three students that share nothing and read the same rows cost three times what one costs."""
    both = pipelines(names=("baseline", "dml"))
    costs = budgets(both, read_data(both["baseline"]).source)
    assert costs["dml"].multiply_adds == pytest.approx(3 * costs["baseline"].multiply_adds)
    assert costs["dml"].work == pytest.approx(3 * costs["baseline"].work)
    assert costs["baseline"].work == pytest.approx(3 * 20 * 16 * costs["baseline"].multiply_adds)


IN_TURN = 'methods.{}.update="in turn"'


def test_who_learns_in_turn_runs_the_others_anew():
    """Three networks: three passes forward and backward together, and six forward passes more in turn."""
    together, in_turn = pipelines(names=("dml",)), pipelines(IN_TURN.format("dml"), names=("dml",))
    source = read_data(together["dml"]).source
    one, other = budget(together["dml"], source), budget(in_turn["dml"], source)
    assert (one.steps, other.steps) == (60, 180)
    assert other.multiply_adds - one.multiply_adds == pytest.approx(6 * _forward(together["dml"], source))
    assert other.work == pytest.approx(60 * 16 * other.multiply_adds)


def test_a_sub_group_for_each_step_costs_the_same():
    """Eight sub-sets of 40 rows in three iterations: eight times the steps, and the same passes but for prefixes."""
    together, in_turn = pipelines(names=("cgl",)), pipelines(IN_TURN.format("cgl"), names=("cgl",))
    source = read_data(together["cgl"]).source
    one, other = budget(together["cgl"], source), budget(in_turn["cgl"], source)
    assert (one.steps, other.steps) == (9, 72)
    assert other.work == pytest.approx(one.work)


@pytest.mark.parametrize("batch", [13, 39])
def test_a_student_without_rows_makes_no_step(batch):
    """324 rows in sub-sets of 41 and 40: with batches of 13 or 39 some have a row left, or two, and others none."""
    changes = ["data.limit=404", f"optim.batch_size={batch}"]
    (pipeline,) = pipelines(IN_TURN.format("cgl"), *changes, names=("cgl",)).values()
    data = read_data(pipeline)
    source, parts = data.source, assemble(pipeline, data, 1, torch.device("cpu"), Interruption())
    epoch = islice(parts.batches.stream(0), parts.batches.epoch_length)
    assert steps_of_a_pass(pipeline, source) == sum(sum(size > 0 for size in batch.sizes) for batch in epoch)


def test_equal_steps_are_those_of_the_optimizer():
    """A network that learns in turn with two others makes three steps an iteration."""
    both = pipelines(IN_TURN.format("dml"), names=("baseline", "dml"))
    costs = budgets(both, read_data(both["dml"]).source, "steps")
    assert {name: (cost.passes, cost.steps) for name, cost in costs.items()} == {"baseline": (3, 180), "dml": (1, 180)}


def _forward(pipeline, source):
    """Multiply-adds of one network for one row."""
    backbone, _ = blueprint(pipeline, source.spec, len(source.classes))
    costs = measure_layers(modular_layers(backbone), source.spec)
    return sum(cost.forward for cost in costs)


def test_equal_steps_are_the_fewest_passes_that_reach_the_most():
    """320 rows in 20 iterations, 40 rows in 3: seven passes are 21."""
    all_three = pipelines()
    costs = budgets(all_three, read_data(all_three["cgl"]).source, "steps")
    assert {name: (cost.passes, cost.steps) for name, cost in costs.items()} == {
        "baseline": (1, 60),
        "dml": (1, 60),
        "cgl": (7, 63),
    }


def test_equal_cost_is_the_number_of_epochs_that_comes_nearest():
    """DML trains three networks, so one alone gets three times the epochs; its steps grow with them."""
    both = pipelines(names=("baseline", "dml"))
    costs = budgets(both, read_data(both["dml"]).source, "cost")
    assert {name: (cost.epochs, cost.steps) for name, cost in costs.items()} == {"baseline": (9, 180), "dml": (3, 60)}
    assert costs["baseline"].work == pytest.approx(costs["dml"].work)


def test_a_given_cost_is_the_same_for_any_rows():
    """300 epochs of DML are 900 of one network, whether or not DML stands there."""
    both = pipelines(names=("baseline", "dml"))
    source = read_data(both["dml"]).source
    given = f"cost={100 * budget(both['dml'], source).work:.15g}"
    costs = budgets(both, source, given)
    assert {name: cost.epochs for name, cost in costs.items()} == {"baseline": 900, "dml": 300}
    assert budgets(pipelines(names=("baseline",)), source, given)["baseline"] == costs["baseline"]


def test_a_cost_below_one_epoch_is_refused():
    both = pipelines(names=("baseline", "dml"))
    source = read_data(both["dml"]).source
    epoch = budget(both["dml"], source).work / 3
    assert budgets(both, source, f"cost={0.51 * epoch}")["dml"].epochs == 1
    with pytest.raises(InputError, match="less than one epoch of 'dml'"):
        budgets(both, source, f"cost={0.49 * epoch}")


def test_equal_cost_of_all_methods_is_met_within_half_an_epoch():
    methods = pipelines("run.epochs=40", names=("baseline", "dml", "cl_ilr", "one", "okddip", "cgl"))
    source = read_data(methods["cgl"]).source
    alone = {name: budget(one, source).work / 40 for name, one in methods.items()}
    costs = budgets(methods, source, "cost")
    dearest = max(40 * each for each in alone.values())
    assert all(abs(costs[name].work - dearest) <= alone[name] / 2 * 1.001 for name in methods)
    assert min(cost.epochs for cost in costs.values()) == 40


def test_equal_steps_start_from_the_passes_that_are_asked_for():
    all_three = pipelines("run.passes_per_epoch=2")
    costs = budgets(all_three, read_data(all_three["cgl"]).source, "steps")
    assert {name: cost.passes for name, cost in costs.items()} == {"baseline": 2, "dml": 2, "cgl": 14}


def test_other_passes_change_nothing_else():
    before = pipelines()["cgl"]
    after = with_passes(before, 5)
    assert after.run.passes_per_epoch == 5 and with_passes(after, 1) == before
    longer = with_epochs(before, 5)
    assert longer.run.epochs == 5 and with_epochs(longer, before.run.epochs) == before


@pytest.mark.parametrize(
    ("statistics", "passes"),
    [("shared", None), ("student", 8)],
    ids=["prefixes are shared", "statistics of their own"],
)
def test_what_an_ensemble_that_teaches_costs_is_what_its_pool_runs(statistics: str, passes: int | None) -> None:
    """Eight students with sub-sets of their own share no prefix in evaluation, unless their statistics are shared."""
    changes = [f"methods.cgl.statistics={statistics}", "methods.cgl.distil.epochs=1"]
    (pipeline,) = pipelines(*changes, names=("cgl",)).values()
    data = read_data(pipeline)
    parts = assemble(pipeline, data, 1, torch.device("cpu"), Interruption())
    parts.pool.route(parts.routing.sample(stream(1, "paths")), parts.subsets.group_of, statistics)
    ran = plan_cost(parts.pool.routes.evaluation, parts.costs, [1]).multiply_adds
    if passes is not None:
        assert ran == passes * sum(cost.forward for cost in parts.costs)
    whole, alone = (budget(one, data.source) for one in (pipeline, pipeline.model_copy(update={"distil": None})))
    own = sum(cost.forward + cost.backward for cost in parts.costs)
    rows = (whole.steps - alone.steps) * pipeline.optim.batch_size
    assert whole.work - alone.work == pytest.approx(rows * (own + ran))
