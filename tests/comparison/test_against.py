"""A pipeline against another method: equal cost, one reading of the data, runs that are there already."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from cgl_ignite.comparison import datasets
from cgl_ignite.comparison.against import Opponents, opponents
from cgl_ignite.config.load import load_document
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.display import NoScreen, Summary
from cgl_ignite.display.screen import Progress
from cgl_ignite.errors import InputError, Interrupted
from cgl_ignite.pipeline import session
from cgl_ignite.pipeline.data import RunData, read_data

TREE: dict[str, Any] = {
    "name": "small",
    "data": {"kind": "digits", "limit": 200, "holdout": 40, "test_limit": 50},
    "backbone": {"kind": "resnet8", "width": 2},
    "method": {"preset": "dml"},
    "optim": {"kind": "adam", "batch_size": 40, "learning_rate": 1e-3},
    "run": {"epochs": 2, "device": "cpu"},
}


def against(method: str, **changes: Any) -> Opponents:
    return opponents(load_document({**TREE, **changes}), method)


def test_the_other_method_gets_the_epochs_of_equal_cost() -> None:
    both = against("baseline")
    assert (both.pipeline.method.students, both.other.method.students) == (3, 1)
    assert both.other.run.epochs == 6  # three networks for two epochs are one network for six
    assert both.other_cost.work == pytest.approx(both.cost.work)
    assert both.other_cost.steps == 6 * 4


def test_what_the_pipeline_changes_for_the_other_method_is_its_own() -> None:
    both = against("slow", methods={"slow": {"preset": "baseline", "optim": {"learning_rate": 1e-4}}})
    assert (both.pipeline.optim.learning_rate, both.other.optim.learning_rate) == (1e-3, 1e-4)


def test_a_distillation_at_the_end_counts_and_is_not_given_to_the_other() -> None:
    plain, both = against("baseline"), against("baseline", distil={"epochs": 3})
    assert both.other.distil is None
    assert both.cost.work > plain.cost.work
    assert both.other.run.epochs > plain.other.run.epochs


def test_what_is_changed_on_the_command_line_is_the_pipelines_alone() -> None:
    both = opponents(load_document(TREE, ["method.preset=one", "method.students=4"]), "baseline")
    assert (both.pipeline.method.preset, both.pipeline.method.students) == ("one", 4)
    assert (both.other.method.preset, both.other.method.students) == ("baseline", 1)


@pytest.mark.parametrize(
    ("method", "told"),
    [
        ("dml", "--against dml: this pipeline is that already"),
        ("dmll", "--against dmll: there is no such method; did you mean 'dml'"),
    ],
)
def test_a_method_that_cannot_be_the_other(method: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        against(method)


def test_both_are_trained_and_compared_over_the_same_test_rows(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readings: list[str] = []

    def read(pipeline: Pipeline) -> RunData:
        readings.append(pipeline.name)
        return read_data(pipeline)

    monkeypatch.setattr(datasets, "read_data", read)
    monkeypatch.setattr(session, "read_data", None)
    outcome = against("baseline").run(resume=False, screen=None)
    assert readings == ["small"]
    [own], [other] = outcome.own, outcome.others
    assert (own.method, own.students, other.method, other.students) == ("dml", 3, "baseline", 1)
    assert outcome.row.difference == pytest.approx(own.test_accuracy - other.test_accuracy)
    assert outcome.row.over_seeds is None
    low, high = outcome.row.over_samples or (0.0, 0.0)
    assert low < high and low <= own.test_accuracy - other.test_accuracy <= high
    tree = outcome.tree()
    assert (tree["method"], tree["epochs"]) == ("baseline", 6)
    assert tree["difference"] == outcome.row.difference

    again = against("baseline").run(resume=False, screen=None)
    assert again.own[0].run_id != own.run_id
    assert again.others[0].run_id == other.run_id


class StopsTheOther(NoScreen):
    """Sends Ctrl-C in the second epoch of the second training."""

    def start(self, summary: Summary) -> None:
        self.students = summary.students

    def epoch(self, state: Progress) -> None:
        if (self.students, state.epoch) == (1, 2):
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.slow
def test_a_stop_in_the_second_training_is_gone_on_with(workdir: Path) -> None:
    straight = against("baseline", tracking={"folder": "straight"}).run(resume=False, screen=None)
    with pytest.raises(Interrupted):
        against("baseline").run(resume=False, screen=StopsTheOther())
    outcome = against("baseline").run(resume=True, screen=None)
    assert len(list((workdir / "mlruns" / "runs").iterdir())) == 2
    for there, here in zip((*straight.own, *straight.others), (*outcome.own, *outcome.others), strict=True):
        weights = [torch.load(run.student, weights_only=True)["state_dict"] for run in (there, here)]
        assert weights[0].keys() == weights[1].keys()
        assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
