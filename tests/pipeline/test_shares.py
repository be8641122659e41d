"""What ``cgl show --processes`` tells of the work of each process and of what they exchange."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.cli.main import cgl
from cgl_ignite.cli.preview import Preview
from cgl_ignite.pipeline.shares import Shares

PIPELINE = Path(__file__).resolve().parents[2] / "pipelines" / "digits_resnet.toml"
ROWS, CLASSES, FLOAT = 16, 10, 4
DML = ("run.device='cpu'", 'method.preset="dml"', "method.students=5")


def told(processes: int, *changes: str) -> Shares:
    pipeline = load_pipeline(PIPELINE, ["run.device='cpu'", "backbone.width=2", *changes])
    return Preview.of(pipeline).shares(processes)


@pytest.mark.parametrize(("processes", "busiest"), [(2, 3 / 5), (4, 2 / 5)])
def test_students_without_shared_layers(processes: int, busiest: float) -> None:
    """Five networks: a process has three or two of them, and hands their logits to all others."""
    preview = Preview.of(load_pipeline(PIPELINE, [*DML, "backbone.width=2"]))
    found = preview.shares(processes)
    assert found.busiest == pytest.approx(busiest)
    students = round(5 * busiest)
    assert found.logits == students * (processes - 1) * ROWS * CLASSES * FLOAT
    weights = FLOAT * preview.parameters
    gradients = (students / 5 * weights + weights) * (processes - 1) / processes
    assert found.leaving == pytest.approx(gradients + found.logits)


@pytest.mark.parametrize(
    ("changes", "busiest"), [(DML, (3 + 1) / (5 + 1)), ((*DML, 'method.subsets={kind="disjoint"}'), 3 * 2 / (5 * 2))]
)
def test_frozen_teachers_run_once_on_each_batch_that_a_process_reads(changes: Sequence[str], busiest: float) -> None:
    """They cost as much as one student: five students with one batch or five, of which a process has three."""
    preview = Preview.of(load_pipeline(PIPELINE, [*changes, "backbone.width=2", 'method.choose={kind="nobody"}']))
    vars(preview)["frozen"] = sum(cost.forward + cost.backward for cost in preview.costs)
    assert preview.shares(2).busiest == pytest.approx(busiest)


def test_a_shared_trunk_is_computed_by_every_process() -> None:
    """In one pass it is computed once, so half of the students have more than half of the work."""
    branched = (*DML, "method.students=4", 'method.routing={kind="branched"}')
    ordered, fast = (told(2, *branched, f'run.reduce="{reduce}"') for reduce in ("ordered", "fast"))
    assert 1 / 2 < fast.busiest < ordered.busiest
    assert fast.logits == ordered.logits == 2 * ROWS * CLASSES * FLOAT


def test_sub_sets_exchange_no_logits() -> None:
    found = told(2)
    assert found.logits == 0
    assert 1 / 2 <= found.busiest < 1


def test_who_imitates_nobody_sends_no_logits() -> None:
    assert told(2, *DML, 'method.choose={kind="nobody"}').logits == 0


def test_the_command() -> None:
    changes = [part for change in DML for part in ("--set", change)]
    shown = CliRunner().invoke(cgl, ["show", str(PIPELINE), *changes, "--processes", "2"])
    assert shown.exit_code == 0, shown.output
    assert (
        "2 processes: the busiest computes 0.60 of an iteration, so they are at most 1.7 times as fast" in shown.output
    )
    assert "leave a process in an iteration, of which 0.00 are logits (run.reduce = 'ordered')" in shown.output
