"""A page about a comparison with axes: it knows where each row stands, as ``cgl compare`` does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cgl_ignite.catalogue import bind_rows
from cgl_ignite.comparison.compare import compare
from cgl_ignite.comparison.report import ComparisonReport
from cgl_ignite.config.load import load_document
from cgl_ignite.page import Page, as_html, gather
from cgl_ignite.page.setting import deviations_from_paper
from cgl_ignite.page.source import PageRun
from cgl_ignite.pipeline.folder import RunFolder
from cgl_ignite.tracking.memory import MemoryTracker
from tests.student.runs import PIPELINE
from tests.texts import without_models

CHANGES = (
    "run.epochs=1",
    "data.limit=120",
    "data.holdout=40",
    "backbone.width=2",
    "methods.cgl.students=3",
    "compare.methods=['one', 'cgl']",
    "sweep.optim.learning_rate.values=[0.001, 0.03]",
)
TRACKER = MemoryTracker()
"""One for all, as it numbers the runs."""


def compared(home: Path, *more: str, seeds: tuple[int, ...] = (1, 2)) -> ComparisonReport:
    bound = bind_rows(load_document(PIPELINE, [*CHANGES, *more, f"tracking.folder={home}"]))
    places = {name: row.place for name, row in bound.plan.rows.items()}
    with pytest.MonkeyPatch.context() as patch:
        without_models(patch)
        return compare(bound.pipelines, seeds, places=places, tracker=TRACKER)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("axes")


@pytest.fixture(scope="module")
def report(home: Path) -> ComparisonReport:
    """Two methods at two learning rates."""
    return compared(home)


def names(page: Page) -> list[str]:
    return [picture.name for picture in page.pictures]


def test_differences_are_those_of_the_comparison(home: Path, report: ComparisonReport) -> None:
    """Each row of CGL is measured against the row of ONE at the same learning rate."""
    page = gather([report.folder.name], home)
    again = page.source.report
    assert [row.against for row in again.rows] == [None, None, *(row.method for row in report.rows[:2])]
    assert [(row.difference, row.over_seeds, row.over_samples) for row in again.rows] == [
        (row.difference, row.over_seeds, row.over_samples) for row in report.rows
    ]
    for first, second in ((0, 2), (1, 3)):
        accuracies = [report.rows[place].accuracy for place in (first, second)]
        assert again.rows[second].difference == pytest.approx(accuracies[1].mean - accuracies[0].mean)
    assert again.markdown() == report.markdown() == (report.folder / "comparison.md").read_text("utf-8")


@pytest.mark.usefixtures("pictures")
def test_figures_along_the_axis_are_on_the_page(home: Path, report: ComparisonReport) -> None:
    page = gather([report.folder.name], home)
    assert names(page)[:2] == ["axis_accuracy", "axis_diversity"]
    assert "axis_parameters" not in names(page), "they do not change with the learning rate"
    assert page.title == "one, cgl over learning_rate on digits"
    assert page.question == "How does the accuracy of one and cgl change with learning_rate on digits with resnet8?"
    assert "Test accuracy along the axis" in as_html(page)


def test_a_grid_is_on_the_page(home: Path, report: ComparisonReport, tmp_path: Path) -> None:
    """Runs of one epoch are those of the axis."""
    shutil.copytree(home / "runs", tmp_path / "runs")
    grid = compared(tmp_path, "sweep.run.epochs=[1, 2]", "compare.methods=['cgl']", seeds=(1,))
    assert names(gather([grid.folder.name], tmp_path))[0] == "grid_1"


def test_without_the_row_at_the_same_point_there_is_no_difference(
    home: Path, report: ComparisonReport, tmp_path: Path
) -> None:
    """The first row of ONE has no finished run, so the first of CGL is measured against nothing."""
    shutil.copytree(home, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "comparisons" / report.folder.name / "cells.json"
    facts = json.loads(file.read_text())
    for cell in facts["cells"]:
        if cell["method"] == report.rows[0].method:
            cell |= {"status": "waiting", "run_id": None}
    file.write_text(json.dumps(facts))
    page = gather([report.folder.name], tmp_path)
    rows = {row.method: row.difference for row in page.source.report.rows}
    assert list(rows.values()) == [None, None, report.rows[3].difference]
    assert [row[0] for row in page.missing.rows] == [f"{report.rows[0].method} seed {seed}" for seed in (1, 2)]


def test_the_record_of_an_older_version_has_no_places(home: Path, report: ComparisonReport, tmp_path: Path) -> None:
    shutil.copytree(home, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "comparisons" / report.folder.name / "cells.json"
    facts = json.loads(file.read_text())
    del facts["rows"], facts["paper"]
    file.write_text(json.dumps(facts))
    page = gather([report.folder.name], tmp_path)
    assert names(page)[0] == "accuracy"
    assert compared(tmp_path).markdown() == report.markdown()
    assert names(gather([report.folder.name], tmp_path))[0] == "axis_accuracy"


def test_what_a_row_of_the_paper_changes_is_no_deviation(tmp_path: Path) -> None:
    """Rows of Table 5 differ from the paper's setting in the ramp-up alone."""
    table = PIPELINE.parent / "paper" / "table5.toml"
    bound = bind_rows(load_document(table))
    for name, row in bound.plan.rows.items():

        class Setting(PageRun):
            setting = bound.pipelines[name].model_dump(mode="json", exclude_none=True)

        run = Setting(name, 1, RunFolder(tmp_path, {}))
        assert deviations_from_paper(run, [*row.place.changes, *row.place.swept]) == []
        assert (deviations_from_paper(run) == []) == (name == "20 %")
