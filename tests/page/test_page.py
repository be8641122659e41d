"""A page about a comparison, finished or not, and about runs: what it says, and that it needs nothing else."""

from __future__ import annotations

import base64
import json
import re
import shutil
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from cgl_ignite.catalogue import bind_methods, load_pipeline
from cgl_ignite.comparison.compare import compare
from cgl_ignite.comparison.report import ComparisonReport
from cgl_ignite.config.load import load_document
from cgl_ignite.errors import InputError
from cgl_ignite.page import as_html, as_markdown, gather
from cgl_ignite.page.setting import deviations_from_paper
from cgl_ignite.page.source import PageRun, open_source
from cgl_ignite.pipeline import run
from cgl_ignite.pipeline.folder import RunFolder
from cgl_ignite.tracking.memory import MemoryTracker
from tests.student.runs import PIPELINE
from tests.texts import without_models

pytestmark = pytest.mark.usefixtures("pictures")
SMALL = ("run.epochs=2", "data.limit=200", "data.holdout=50", "backbone.width=2", "methods.cgl.students=3")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compared")


@pytest.fixture(scope="module")
def compared(home: Path) -> ComparisonReport:
    """Compare the baseline with CGL, two seeds each."""
    document = load_document(PIPELINE, [*SMALL, f"tracking.folder={home}"])
    with pytest.MonkeyPatch.context() as patch:
        without_models(patch)
        return compare(bind_methods(document, ("baseline", "cgl")), [1, 2], tracker=MemoryTracker())


class Reader(HTMLParser):
    """Collects the texts of a page, what it loads, and checks that what is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loaded: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loaded += [str(value) for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    return reader


def test_the_page_is_whole_and_needs_no_other_file(home: Path, compared: ComparisonReport) -> None:
    html = as_html(gather([compared.folder.name], home))
    reader = read(html)
    assert len(reader.loaded) == 5
    for source in reader.loaded:
        assert source.startswith("data:image/svg+xml;base64,")
        assert ET.fromstring(base64.b64decode(source.partition(",")[2])).tag.endswith("svg")
    assert not re.search(r"<script|@import|url\(|https?://", html)
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html


def test_it_says_what_the_comparison_says(home: Path, compared: ComparisonReport) -> None:
    page = gather([str(compared.folder)], home)
    text = " ".join(read(as_html(page)).texts)
    for row in compared.rows:
        assert f"{row.method}: {row.accuracy.mean:.2f} ± {row.accuracy.std:.2f} % on the test part" in text
    low, high = compared.rows[1].over_seeds
    assert f"[{low:+.2f}, {high:+.2f}]" in text
    assert (
        page.question
        == "Which of baseline, cgl trains the most accurate student on digits with resnet8, at equal epochs?"
    )
    assert ("data set", "digits: 150 training, 50 holdout, 200 test rows") in page.setting
    assert ("method.students", "1", "3") in page.differing.rows
    assert page.missing.rows == []
    assert [row[:2] for row in page.runs.rows] == [("baseline", "1"), ("cgl", "1"), ("baseline", "2"), ("cgl", "2")]
    ((which, versions),) = page.surroundings
    assert which == "all runs"
    assert {"python", "torch", "git", "platform"} <= {name for name, _ in versions.rows}
    assert "The paper has no number for this data set and backbone." in text


def test_the_commands_repeat_the_runs(home: Path, compared: ComparisonReport, tmp_path: Path) -> None:
    page = gather([compared.folder.name], home)
    assert list(page.commands) == [f"cgl run {name}.toml --seed 1 --seed 2" for name in ("baseline", "cgl")]
    (tmp_path / "cgl.toml").write_text(page.pipelines["cgl.toml"])
    again = load_pipeline(tmp_path / "cgl.toml", ["seeds=[2]", f"tracking.folder={tmp_path}"])
    with pytest.MonkeyPatch.context() as patch:
        without_models(patch)
        (result,) = run(again, tracker=MemoryTracker())
    assert result.test_accuracy == compared.methods[1].runs[2].test_accuracy


def test_each_pipeline_has_a_file_of_its_own(home: Path, compared: ComparisonReport, tmp_path: Path) -> None:
    file = damaged(home, compared, tmp_path)
    facts = json.loads(file.read_text())
    names = {"baseline": "lr=1e-3", "cgl": "lr:1e-3"}
    facts["cells"] = [cell | {"method": names[cell["method"]]} for cell in facts["cells"]]
    facts["rows"] = {names[name]: row for name, row in facts["rows"].items()}
    file.write_text(json.dumps(facts))
    page = gather([compared.folder.name], tmp_path)
    assert [command.split()[2] for command in page.commands] == ["lr_1e-3.toml", "lr_1e-3_2.toml"]
    students = []
    for text in page.pipelines.values():
        (tmp_path / "one.toml").write_text(text)
        students.append(load_pipeline(tmp_path / "one.toml").method.students)
    assert students == [1, 3]


def test_markdown_says_the_same(home: Path, compared: ComparisonReport) -> None:
    page = gather([compared.folder.name], home)
    text = as_markdown(page, "report_files")
    headings = re.findall(r"<h2>(.*?)</h2>", as_html(page))
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == headings
    assert text.count("](report_files/") == 5
    for finding in page.findings:
        assert finding.split(";")[0] in text
    table = text.partition("## Result")[2].partition("## Pictures")[0]
    widths = {line.count(" |") for line in table.splitlines() if line.startswith("|")}
    assert widths == {len(page.table.heads)}


def damaged(home: Path, compared: ComparisonReport, folder: Path, **changes: Any) -> Path:
    """Copy a comparison without one of its runs, whose cell gets other values."""
    shutil.copytree(home, folder, dirs_exist_ok=True)
    file = folder / "comparisons" / compared.folder.name / "cells.json"
    facts = json.loads(file.read_text())
    facts["cells"][3] |= changes
    file.write_text(json.dumps(facts))
    return file


def test_what_is_missing_is_named_and_the_rest_is_shown(home: Path, compared: ComparisonReport, tmp_path: Path) -> None:
    damaged(home, compared, tmp_path, status="failed", reason="the loss is <not> finite", run_id=None)
    page = gather([compared.folder.name], tmp_path)
    assert page.finished == 3
    assert page.missing.rows == [("cgl seed 2", "failed", "the loss is <not> finite")]
    html = as_html(page)
    assert "1 of 4 runs are not finished." in html
    assert "the loss is &lt;not&gt; finite" in html
    assert "one seed in common, or equal differences, so how certain this is over seeds is not known" in html
    assert [row[0] for row in page.table.rows] == ["baseline", "cgl"]


def test_runs_that_wait_need_no_reason(home: Path, compared: ComparisonReport, tmp_path: Path) -> None:
    damaged(home, compared, tmp_path, status="waiting", run_id=None)
    missing = gather([compared.folder.name], tmp_path).missing
    assert (missing.heads, missing.rows) == (("run", "state"), [("cgl seed 2", "waiting")])


def test_a_run_that_was_removed_is_missing(home: Path, compared: ComparisonReport, tmp_path: Path) -> None:
    file = damaged(home, compared, tmp_path)
    shutil.rmtree(tmp_path / "runs" / json.loads(file.read_text())["cells"][3]["run_id"])
    page = gather([compared.folder.name], tmp_path)
    assert page.missing.rows == [("cgl seed 2", "missing", "its run is not in the tracking folder any more")]


def test_runs_that_are_named_one_by_one(home: Path, compared: ComparisonReport) -> None:
    one, other = (compared.methods[place].runs[1].run_id for place in (0, 1))
    page = gather([one, other, one], home)
    assert [row[:3] for row in page.runs.rows] == [("baseline", "1", one), ("cgl", "1", other)]
    assert page.cost.heads == ["method", "parameters all / one", "training time"]
    alone = gather([one], home)
    assert "Values that are not the same for all" not in as_html(alone) + as_markdown(alone, "files")
    assert list(alone.differing.rows) == []
    assert alone.question == "How accurate is the student that baseline trains on digits with resnet8?"
    read(as_html(alone))


def test_what_no_page_is_about(home: Path, compared: ComparisonReport, tmp_path: Path) -> None:
    run_id = compared.methods[0].runs[1].run_id
    with pytest.raises(InputError, match="one comparison, or about runs"):
        open_source([compared.folder.name, run_id], home)
    with pytest.raises(InputError, match="no run 'nothing'"):
        open_source(["nothing"], home)
    copy = shutil.copytree(home / "runs" / run_id, tmp_path / "runs" / "half")
    for left in (copy / "result.json", copy / "artifacts" / "test_predictions.npz"):
        left.unlink()
    with pytest.raises(InputError, match="run half is not finished"):
        open_source([str(copy)], home)
    file = tmp_path / "comparisons" / "begun" / "cells.json"
    file.parent.mkdir(parents=True)
    file.write_text("{}")
    with pytest.raises(InputError, match="comparison begun has not begun"):
        open_source(["begun"], tmp_path)


def test_only_the_setting_of_the_paper_stands_beside_the_paper(tmp_path: Path) -> None:
    """The shipped pipeline is the paper's; fewer epochs are not."""

    class Setting(PageRun):
        setting = load_pipeline(PIPELINE.with_name("cifar10_resnet18.toml")).model_dump(mode="json", exclude_none=True)

    paper = Setting("cgl", 1, RunFolder(tmp_path, {}))
    assert deviations_from_paper(paper) == []
    Setting.setting["run"]["epochs"] = 3
    Setting.setting["data"]["limit"] = 2000
    assert deviations_from_paper(paper) == [
        "data.limit is 2000, in the paper's setting not set",
        "run.epochs is 3, in the paper's setting 200",
    ]


def test_numbers_of_the_paper_are_shown_in_its_setting_alone(
    home: Path, compared: ComparisonReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = {"table": 2, "dataset": "digits", "backbone": "resnet8", "baseline": [99.5, 0.25]}
    monkeypatch.setattr("cgl_ignite.analysis.paper._content", lambda: {"result": [printed], "piece": {}})
    other = gather([compared.folder.name], home)
    assert other.paper.rows == []
    ((method, differences),) = other.deviations.rows
    assert method == "baseline"
    assert "run.epochs is 2, in the paper's setting 40" in differences
    assert "99.50" not in as_html(other)
    monkeypatch.setattr("cgl_ignite.page.content.deviations_from_paper", lambda *_: [])
    same = gather([compared.folder.name], home)
    ours = compared.rows[0].accuracy
    assert same.paper.rows == [
        ("baseline", f"{ours.mean:.2f} ± {ours.std:.2f}", "99.50 ± 0.25", f"{ours.mean - 99.5:+.2f}")
    ]
    assert "99.50 ± 0.25" in as_html(same)
