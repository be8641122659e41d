"""``cgl show`` of a comparison: how many cells it has, what they cost, and what fits into a budget."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from cgl_ignite.bench.timing import Load, Speed
from cgl_ignite.cli import cells
from cgl_ignite.cli.cells import read_duration
from cgl_ignite.cli.main import cgl
from cgl_ignite.cli.rows import read_rows
from cgl_ignite.comparison.budget import budgets
from cgl_ignite.errors import InputError
from cgl_ignite.pipeline.data import read_data

DIGITS = Path(__file__).resolve().parents[2] / "pipelines" / "digits_resnet.toml"
TEXT = f"""
extends = "{DIGITS.as_posix()}"
seeds = [1, 2]
[run]
epochs = 3
[compare]
methods = ["baseline", "cgl"]
constant = ["baseline"]
[sweep]
"method.students" = [2, 4]
"""
TURNS, DISTIL = ['methods.cgl.update="in turn"'], ["distil.epochs=2", "run.passes_per_epoch=2"]


@pytest.fixture
def path(tmp_path: Path) -> str:
    file = tmp_path / "mine.toml"
    file.write_text(TEXT, encoding="utf-8")
    return str(file)


@pytest.mark.parametrize("equal", ["epochs", "steps", "cost", "cost=3e10"])
@pytest.mark.parametrize("changes", [[], TURNS, DISTIL])
def test_the_cost_shown_is_that_of_the_comparison(path: str, equal: str, changes: list[str]) -> None:
    rows = read_rows(path, changes, equal=equal)
    costs = budgets(rows.bound.pipelines, read_data(rows.first).source, equal)
    shown = cells._loads(rows)
    assert list(shown) == list(costs)
    for name, cost in costs.items():
        assert shown[name].iterations * shown[name].work == pytest.approx(cost.work)
        if not changes:
            assert shown[name].iterations == pytest.approx(cost.steps)


def test_cells_are_rows_times_seeds(path: str) -> None:
    done = CliRunner().invoke(cgl, ["show", path])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert "# Comparison: 3 rows x 2 seeds = 6 cells" in lines
    assert any(line.split()[:4] == ["#", "cgl", "students=4", "3"] for line in lines)


def test_a_budget_says_what_fits(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six cells of ten seconds each, in the order of the seeds."""
    monkeypatch.setattr(cells, "_seconds", lambda previews, loads: (dict.fromkeys(loads, 10.0), 0.0))
    assert "# 4 of 6 cells fit into 0:00:45; all of them with 0.75 times the epochs" in told(path, "45s")
    assert "# all 6 cells fit into 0:01:00" in told(path, "1m")
    assert any("time of all cells, one at a time: 0:01:00" in line for line in told(path, "1m"))


def test_the_first_run_of_a_process_takes_longer(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "_seconds", lambda previews, loads: (dict.fromkeys(loads, 10.0), 6.0))
    assert "# 3 of 6 cells fit into 0:00:45; all of them with 0.65 times the epochs" in told(path, "45s")
    assert any("time of all cells, one at a time: 0:01:06" in line for line in told(path, "1m"))


def test_presets_between_the_cheapest_and_the_dearest_are_measured(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An iteration of DML is derived as 3 s from its work, three times the cheapest, and measured as 4.5 s."""
    changes = [
        "methods.dml.students=3",
        "compare.methods=['baseline','dml','cgl']",
        "compare.constant=['baseline','dml']",
    ]
    rows = read_rows(path, changes)
    work = {"baseline": 1e9, "dml": 3e9, "cgl students=2": 2e9, "cgl students=4": 5e9}
    loads = {name: Load(1, 10, work[name], 0, 1.0) for name in rows.bound.pipelines}
    monkeypatch.setattr(cells, "measure_speed", lambda _, load: Speed(load.work, load.work / 1e9, 1.0, 0, 0, 0, 0.5))
    monkeypatch.setattr(cells, "measure_iteration", lambda _, load: (load.work / 2, 1.5 * load.work / 2e9))
    seconds, _ = cells._seconds(rows.bound.pipelines, loads)
    assert seconds == pytest.approx({"baseline": 10, "dml": 45, "cgl students=2": 20, "cgl students=4": 50})


def test_short_iterations_at_the_end_of_a_pass_are_told_apart(path: str) -> None:
    """Of 320 rows, a student of four has 80: with batches of 32 these are two, and 16 rows."""
    rows = read_rows(path, ["data.limit=400", "data.holdout=80", "optim.batch_size=32"])
    load, whole = cells._loads(rows)["cgl students=4"], cells._loads(rows)["baseline"]
    assert (load.iterations, load.short, load.share) == (pytest.approx(9), 3, 0.5)
    assert (whole.iterations, whole.short, whole.share) == (pytest.approx(30), 0, 1.0)
    assert load.evaluated == whole.evaluated == 3 * 80 + 360


def told(path: str, budget: str) -> list[str]:
    return CliRunner().invoke(cgl, ["show", path, "--budget", budget]).stdout.splitlines()


@pytest.mark.parametrize("text", ["", "two hours", "2", "h", "-1h"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="must be a time such as 2h"):
        read_duration(text)


def test_a_bad_budget_is_one_message(path: str) -> None:
    done = CliRunner().invoke(cgl, ["show", path, "--budget", "soon"])
    assert (done.exit_code, done.stdout) == (2, "") and "such as 2h, 1h30m or 45m, not 'soon'" in done.stderr
