"""``cgl run --against``: what is printed where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cgl_ignite.analysis.comparison import Cost, TableRow
from cgl_ignite.analysis.statistics import Interval, Spread
from cgl_ignite.cli.against import outcome_lines
from cgl_ignite.cli.main import cgl
from cgl_ignite.comparison.against import Outcome

PIPELINE = Path(__file__).resolve().parents[2] / "pipelines" / "digits_resnet.toml"
QUICK = ("backbone.width=2", "data.limit=200", "data.holdout=40", "data.test_limit=50", "run.epochs=1")


def run(*more: str) -> Result:
    changes = [part for change in QUICK for part in ("--set", change)]
    return CliRunner().invoke(cgl, ["run", str(PIPELINE), *changes, *more])


def table_row(method: str, accuracy: Spread, difference: float | None, **intervals: Interval) -> TableRow:
    return TableRow(
        method=method,
        curve=method,
        seeds=(1,),
        failed={},
        accuracy=accuracy,
        cost=Cost(steps=1200, passes=1, multiply_adds=1.0, work=2.5e9, epochs=12),
        difference=difference,
        over_seeds=intervals.get("over_seeds"),
        over_samples=intervals.get("over_samples"),
        mean_accuracy=None,
        diversity=None,
        parameters=None,
        parameters_student=None,
        seconds=None,
        paper=None,
        deviations={},
    )


@pytest.mark.parametrize(
    ("intervals", "seeds", "verdict"),
    [
        ({"over_samples": Interval(-1.0, 2.0)}, 1, "not certain (95 % over test rows, one seed: -1.00 to +2.00)"),
        ({"over_samples": Interval(0.5, 2.0)}, 1, "certain (95 % over test rows, one seed: +0.50 to +2.00)"),
        (
            {"over_samples": Interval(0.5, 2.0), "over_seeds": Interval(-3.0, 4.0)},
            3,
            "not certain (95 % over 3 seeds: -3.00 to +4.00)",
        ),
    ],
)
def test_the_verdict_is_that_of_the_widest_knowledge(intervals: dict[str, Interval], seeds: int, verdict: str) -> None:
    row = table_row("one", Spread(91.0, None), 1.25, **intervals)
    other = table_row("baseline", Spread(89.75, 0.5), None)
    lines = [line.plain for line in outcome_lines(Outcome([None] * seeds, [], row, other))]  # type: ignore[list-item]
    assert lines == [
        "against baseline, for the same cost of training",
        "  one         91.00 % on the test set   12 epochs, 1,200 optimizer steps, 2.5e+09 multiply-adds",
        "  baseline    89.75 ± 0.50 % on the test set   12 epochs, 1,200 optimizer steps, 2.5e+09 multiply-adds",
        f"  difference  +1.25 points   {verdict}",
    ]


def test_stdout_has_the_own_student_or_everything(workdir: Path) -> None:
    done = run("--against", "baseline", "--json")
    assert done.exit_code == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["method"] == "cgl"
    assert answer["against"]["method"] == "baseline"
    [other] = answer["against"]["runs"]
    assert answer["against"]["difference"] == pytest.approx(answer["test_accuracy"] - other["test_accuracy"])
    assert "against baseline, for the same cost of training" in done.stderr
    done = run("--against", "baseline", "--resume", "--quiet")
    assert (done.stdout, done.stderr) == (answer["student"] + "\n", "")


@pytest.mark.parametrize(("method", "told"), [("cgl", "--against cgl: this pipeline is that already"), ("clg", "clg")])
def test_a_wrong_method_is_told_before_training(workdir: Path, method: str, told: str) -> None:
    done = run("--against", method)
    assert (done.exit_code, done.stdout) == (2, "")
    assert told in done.stderr and "epoch" not in done.stderr
    assert not (workdir / "mlruns" / "runs").exists()
