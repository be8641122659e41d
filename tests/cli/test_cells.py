"""``cgl show`` of a comparison: how many cells it has, what they cost, and what fits into a budget."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

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


@pytest.fixture
def path(tmp_path: Path) -> str:
    file = tmp_path / "mine.toml"
    file.write_text(TEXT, encoding="utf-8")
    return str(file)


@pytest.mark.parametrize("equal", ["epochs", "steps", "cost"])
def test_the_cost_shown_is_that_of_the_comparison(path: str, equal: str) -> None:
    rows = read_rows(path, equal=equal)
    costs = budgets(rows.bound.pipelines, read_data(rows.first).source, equal)  # type: ignore[arg-type]
    shown = {name: cells._load(preview) for name, preview in cells._previews(rows).items()}
    assert {name: load.iterations for name, load in shown.items()} == {name: cost.steps for name, cost in costs.items()}
    for name, cost in costs.items():
        assert shown[name].iterations * shown[name].work == pytest.approx(cost.work)


def test_cells_are_rows_times_seeds(path: str) -> None:
    done = CliRunner().invoke(cgl, ["show", path])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert "# Comparison: 3 rows x 2 seeds = 6 cells" in lines
    assert any(line.split()[:4] == ["#", "cgl", "students=4", "3"] for line in lines)


def test_a_budget_says_what_fits(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six cells of ten seconds each, in the order of the seeds."""
    monkeypatch.setattr(cells, "_seconds", lambda previews, loads: dict.fromkeys(loads, 10.0))
    assert "# 4 of 6 cells fit into 0:00:45; all of them with 0.75 times the epochs" in told(path, "45s")
    assert "# all 6 cells fit into 0:01:00" in told(path, "1m")
    assert any("time of all cells, one at a time: 0:01:00" in line for line in told(path, "1m"))


def told(path: str, budget: str) -> list[str]:
    return CliRunner().invoke(cgl, ["show", path, "--budget", budget]).stdout.splitlines()


@pytest.mark.parametrize("text", ["", "two hours", "2", "h", "-1h"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="must be a time such as 2h"):
        read_duration(text)


def test_a_bad_budget_is_one_message(path: str) -> None:
    done = CliRunner().invoke(cgl, ["show", path, "--budget", "soon"])
    assert (done.exit_code, done.stdout) == (2, "") and "such as 2h, 1h30m or 45m, not 'soon'" in done.stderr
