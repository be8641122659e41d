"""The page about all tables and figures of the paper: it finds what has been run, and in which size."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from cgl_ignite.catalogue import bind_rows
from cgl_ignite.cli.main import cgl
from cgl_ignite.comparison.compare import compare
from cgl_ignite.config.load import load_document
from cgl_ignite.errors import InputError
from cgl_ignite.page import as_markdown, gather_paper
from cgl_ignite.tracking.memory import MemoryTracker
from tests.student.runs import PIPELINE
from tests.texts import without_models

FILE = f"""# Table 5: two ramp-ups. More about it.
extends = "{PIPELINE.as_posix()}"
seeds = [1, 2]
run.epochs = 2
data = {{ limit = 120, holdout = 40 }}
backbone.width = 2
method.students = 2
[compare]
paper = "table5"
[sweep]
"method.ramp.end" = {{ values = [0.0, 0.8], labels = ["0 %", "80 %"], name = "ramp-up" }}
[small]
run.epochs = 1
"""
UNRUN = f'# Another: nobody has run it\nextends = "{PIPELINE.as_posix()}"\n[small]\nrun.epochs = 1\n'
TRACKER = MemoryTracker()
"""One for all, as it numbers the runs."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("paper")
    (folder / "table5.toml").write_text(FILE, "utf-8")
    (folder / "other.toml").write_text(UNRUN, "utf-8")
    return folder


def trained(files: Path, home: Path, *changes: str, small: bool = False) -> str:
    document = load_document(files / "table5.toml", [*changes, f"tracking.folder={home}"], small=small)
    bound = bind_rows(document)
    places = {name: row.place for name, row in bound.plan.rows.items()}
    seeds = next(iter(bound.pipelines.values())).seeds
    with pytest.MonkeyPatch.context() as patch:
        without_models(patch)
        report = compare(bound.pipelines, seeds, places=places, paper="table5", tracker=TRACKER)
    return report.folder.name


@pytest.fixture(scope="module")
def home(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small trial of one seed, and another trial that is none of the file."""
    home = tmp_path_factory.mktemp("runs")
    trained(files, home, "seeds=[1]", small=True)
    trained(files, home, "seeds=[1]", "optim.learning_rate=0.02", small=True)
    return home


def states(files: Path, home: Path) -> dict[str, str]:
    return {name: state for name, state, _ in gather_paper(files, home).states.rows}


def test_every_piece_has_its_state(files: Path, home: Path, tmp_path: Path) -> None:
    assert states(files, tmp_path) == {"other": "not run", "table5": "not run"}
    assert states(files, home) == {"other": "not run", "table5": "small trial, 2 of 4 runs"}
    shutil.copytree(home, tmp_path, dirs_exist_ok=True)
    trained(files, tmp_path)
    assert states(files, tmp_path) == {"other": "not run", "table5": "full size, 4 of 4 runs"}


def test_ours_stand_beside_the_papers(files: Path, home: Path) -> None:
    """The paper has 77.79 for no ramp-up and 77.10 for the longest, so its ranks are 1 and 2."""
    _, piece = gather_paper(files, home).pieces
    assert piece.title == "Table 5: two ramp-ups"
    assert piece.table.heads == ("row", "ours", "diversity", "the paper's", "rank: ours", "rank: the paper's")
    first, second = piece.table.rows
    assert (first[0], first[3], first[5]) == ("0 %", "77.79 %", "1")
    assert (second[0], second[3], second[5]) == ("80 %", "77.10 %", "2")
    ours = [float(row[1].removesuffix(" %")) for row in (first, second)]
    assert [row[4] for row in (first, second)] == [
        {True: "1", False: "2"}[ours[0] > ours[1]] if ours[0] != ours[1] else "1.5",
        {True: "1", False: "2"}[ours[1] > ours[0]] if ours[0] != ours[1] else "1.5",
    ]
    assert piece.deviations == ["run.epochs: 1 instead of 2"]
    assert [picture.name for picture in piece.pictures] == ["table5_axis_accuracy", "table5_axis_diversity"]


def test_variants_of_one_data_set_are_ranked_together(tmp_path: Path) -> None:
    text = f'''extends = "{PIPELINE.as_posix()}"
seeds = [1]
[compare]
base = "cgl"
[variants.without_random_routing]
method.routing = {{ kind = "disjoint" }}
[small]
data = {{ limit = 100, holdout = 20 }}
backbone.width = 2
run.epochs = 1
'''
    (tmp_path / "table4.toml").write_text(text, "utf-8")
    document = load_document(tmp_path / "table4.toml", [f"tracking.folder={tmp_path}"], small=True)
    bound = bind_rows(document)
    with pytest.MonkeyPatch.context() as patch:
        without_models(patch)
        places = {name: row.place for name, row in bound.plan.rows.items()}
        report = compare(bound.pipelines, [1], places=places, tracker=MemoryTracker())
    (piece,) = gather_paper(tmp_path, tmp_path).pieces
    assert [row[5] for row in piece.table.rows] == ["1", "2"], "78.01 % before 75.75 %"
    measured = [row.accuracy.mean for row in report.rows]
    assert sorted(row[4] for row in piece.table.rows) == (["1.5", "1.5"] if len(set(measured)) == 1 else ["1", "2"])


@pytest.mark.usefixtures("pictures")
def test_the_command_writes_both_files(files: Path, home: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = CliRunner().invoke(cgl, ["report", "--paper", str(files), "--folder", str(home), "-o", str(page)])
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [str(page), str(page.with_suffix(".md"))]
    html, text = page.read_text("utf-8"), page.with_suffix(".md").read_text("utf-8")
    assert html.startswith("<!DOCTYPE html>") and html.count("<img src=") == text.count("](page_files/") == 2
    for name in ("other: not run", "table5: small trial, 2 of 4 runs", "Table 5: two ramp-ups"):
        assert name in html and name in text


def test_what_is_refused(files: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no pipeline file"):
        gather_paper(tmp_path, tmp_path)
    for options, message in (
        (["--paper", "a", "b"], "takes one folder"),
        (["--paper", str(files), "--log"], "--log stores a page with its comparison"),
        ([], "or --paper"),
    ):
        done = CliRunner().invoke(cgl, ["report", *options])
        assert done.exit_code == 2 and message in done.output


def test_the_shipped_files_are_listed(tmp_path: Path) -> None:
    page = gather_paper(PIPELINE.parent / "paper", tmp_path)
    assert [piece.name for piece in page.pieces] == sorted(
        path.stem for path in (PIPELINE.parent / "paper").glob("*.toml")
    )
    assert "cgl compare" in as_markdown(page, "files")
