"""Analyses of a comparison: kept with it, and shown on its page and on that of the paper."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from cgl_ignite.catalogue import bind_methods
from cgl_ignite.cli.main import cgl
from cgl_ignite.comparison.analysed import kept_analyses, place_of
from cgl_ignite.comparison.compare import compare
from cgl_ignite.config.load import load_document
from cgl_ignite.errors import InputError
from cgl_ignite.page import as_html, as_markdown, gather
from cgl_ignite.tracking.memory import MemoryTracker
from tests.student.runs import PIPELINE
from tests.texts import without_models

pytestmark = pytest.mark.usefixtures("pictures")
SMALL = ("run.epochs=1", "data.limit=100", "data.holdout=30", "backbone.width=2")


@pytest.fixture
def comparison(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Train one network with two seeds."""
    without_models(monkeypatch)
    document = load_document(PIPELINE, [*SMALL, f"tracking.folder={tmp_path}"])
    return compare(bind_methods(document, ("baseline",)), [1, 2], tracker=MemoryTracker()).folder


def analyse(comparison: Path, *options: str) -> str:
    arguments = ["analyse", comparison.name, "--folder", str(comparison.parents[1]), *options]
    done = CliRunner().invoke(cgl, arguments)
    assert done.exit_code == 0, done.output
    return done.stderr


def test_the_page_of_a_comparison_has_its_analyses(comparison: Path) -> None:
    assert gather([str(comparison)], comparison.parents[1]).analyses == []
    told = analyse(comparison, "--flatness", "--draws", "2", "--sigma", "0.1,0.2", "--rows", "40")
    assert f"kept with comparison {comparison.name}; cgl report {comparison.name} shows it" in told
    page = gather([str(comparison)], comparison.parents[1])
    (part,) = page.analyses
    (kept,) = kept_analyses(comparison)
    assert part.title == kept.title and part.title.startswith("Flatness")
    assert part.table.rows == kept.rows and "baseline" in part.table.heads
    assert part.command == f"cgl analyse {comparison.name} --flatness --sigma 0.1,0.2 --draws 2 --rows 40"
    html, markdown = as_html(page), as_markdown(page, "files")
    assert html.count("data:image/svg+xml;base64,") == len(page.figures) + 1
    assert f"<h2>{part.title}</h2>" in html and part.command in html
    assert f"## {part.title}" in markdown and "](files/analysis_flatness.png)" in markdown
    assert re.findall(r"^## (.*)$", markdown, re.MULTILINE) == re.findall(r"<h2>(.*?)</h2>", html)
    assert (place_of(comparison) / "flatness.png").read_bytes() == part.pictures[0].png()


def test_runs_that_came_later_are_told(comparison: Path) -> None:
    analyse(comparison, "--calibration")
    file = place_of(comparison) / "calibration.json"
    tree = json.loads(file.read_text())
    assert len(tree["runs"]) == 2
    file.write_text(json.dumps(tree | {"runs": tree["runs"][:1]}))
    (part,) = gather([str(comparison)], comparison.parents[1]).analyses
    assert part.notes[0] == "1 of 2 runs were not there when this was measured; the command below measures all"


def test_a_missing_picture_is_named(comparison: Path) -> None:
    analyse(comparison, "--calibration")
    (place_of(comparison) / "calibration.png").unlink()
    with pytest.raises(InputError, match=r"analyses/calibration\.png: the picture of an analysis is missing"):
        gather([str(comparison)], comparison.parents[1])


@pytest.mark.parametrize("content", ["{", "[]", '{"kind": "flatness"}'])
def test_a_damaged_file_is_named(comparison: Path, content: str) -> None:
    place_of(comparison).mkdir()
    (place_of(comparison) / "flatness.json").write_text(content)
    with pytest.raises(InputError, match=r"analyses/flatness\.json: not an analysis .* remove it, or run cgl analyse"):
        gather([str(comparison)], comparison.parents[1])
