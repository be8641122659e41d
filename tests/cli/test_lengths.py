"""``cgl compare --lengths``: every method in several lengths, on the screen, as JSON and on the page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cgl_ignite.cli.main import cgl
from cgl_ignite.cli.rows import read_rows

PIPELINE = Path(__file__).resolve().parents[2] / "pipelines" / "digits_resnet.toml"
QUICK = ("backbone.width=2", "data.limit=200", "data.holdout=40", "data.test_limit=50", "run.epochs=1")


def compare(*more: str) -> Result:
    changes = [part for change in QUICK for part in ("--set", change)]
    command = ["compare", str(PIPELINE), "--methods", "one,baseline", "--seeds", "1", *changes, *more]
    return CliRunner().invoke(cgl, command)


@pytest.mark.usefixtures("workdir", "pictures")
def test_every_method_is_measured_against_the_baseline_of_its_length() -> None:
    done = compare("--lengths", "1,2", "--json", "--quiet")
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)["table"]
    assert [(row["method"], row["curve"], row["length"], row["cost"]["epochs"], row["against"]) for row in rows] == [
        ("one x1", "one", 1, 1, "baseline x1"),
        ("one x2", "one", 2, 2, "baseline x2"),
        ("baseline x1", "baseline", 1, 1, None),
        ("baseline x2", "baseline", 2, 2, None),
    ]  # fmt: skip
    table = compare("--lengths", "1,2", "--quiet").stdout
    assert "to baseline" in table.splitlines()[1]
    assert "differences are to baseline of the same length" in table
    (folder,) = Path("mlruns/comparisons").iterdir()
    assert CliRunner().invoke(cgl, ["report", folder.name, "-o", "page.html"]).exit_code == 0
    page = Path("page.md").read_text()
    assert "How does the accuracy of one and baseline change with the length of the training" in page


def test_every_length_deviates_as_its_method_does() -> None:
    changes = ["run.epochs=3", "methods.cgl.run.epochs=5"]
    rows = read_rows(str(PIPELINE), changes, methods="baseline,cgl", lengths=(1, 4))
    assert rows.deviations["cgl x4"] == {"run.epochs": 5} and rows.deviations["baseline x1"] == {}
    assert {name: one.run.epochs for name, one in rows.pipelines.items()} == {
        "baseline x1": 3, "baseline x4": 12, "cgl x1": 5, "cgl x4": 20,
    }  # fmt: skip


def test_without_lengths_rows_are_the_methods() -> None:
    rows = read_rows(str(PIPELINE), methods="dml")
    assert (list(rows.pipelines), rows.places) == (["dml"], None)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--lengths", "1,1"), "must be different numbers of at least 1, not '1,1'"),
        (("--lengths", "2", "--equal", "cost"), "--lengths compares trainings of different cost; leave out --equal"),
        (("--lengths", "2", "--set", "sweep.backbone.width=[2, 4]"), "--lengths is for rows that are methods"),
    ],
)
def test_lengths_that_say_nothing_are_refused(more: tuple[str, ...], message: str) -> None:
    failed = compare(*more)
    assert (failed.exit_code, failed.stdout) == (2, "")
    assert message in failed.stderr
