"""``pipelines/paper``: one file for each piece of the paper's evidence, with all of its cells."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

import pytest

from cgl_ignite.analysis.paper import printed_in
from cgl_ignite.bench.synthetic import made_up
from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.cli.cells import _loads
from cgl_ignite.cli.rows import ChosenRows, read_rows
from cgl_ignite.comparison.compare import compare
from cgl_ignite.config.dump import values
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.pipeline import hand_over
from cgl_ignite.tracking import ModelRefused
from cgl_ignite.tracking.memory import MemoryTracker

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(__file__).resolve().parents[1] / "pipelines" / "paper"
ROWS = {
    "table2": 3 * 6,
    "table3": 4 * 6,
    "table4": 4,
    "table5": 4,
    "table6": 3 * 2,
    "table7": 8 + 13,
    "figure3": 1 + 5 * 5,
    "figure4": 5,
    "figure5": 8,
    "figure6": 6,
}
WORK_OF_AN_HOUR = 2 * 3600 * 20e9
"""Multiply-adds of two cores, at half of what ResNet-18 of width 8 reached (benchmarks/results/cifar10_1000_images)."""
each_piece = pytest.mark.parametrize("name", ROWS)


@functools.cache
def rows(name: str, *changes: str, small: bool = False) -> ChosenRows:
    return read_rows(str(FOLDER / f"{name}.toml"), changes, small=small)


def test_every_file_is_listed_here() -> None:
    assert {path.stem for path in FOLDER.glob("*.toml")} == ROWS.keys()


@each_piece
def test_every_piece_has_the_rows_of_the_paper_and_three_seeds(name: str) -> None:
    found = rows(name)
    assert len(found.bound.pipelines) == ROWS[name]
    assert found.first.seeds == [1, 2, 3] and found.equal == "epochs"


@each_piece
def test_a_small_trial_has_little_of_everything(name: str) -> None:
    found = rows(name, small=True)
    for pipeline in found.bound.pipelines.values():
        assert pipeline.data.limit == 1000 and pipeline.data.holdout == 200
        assert pipeline.backbone.options["width"] <= (64 if pipeline.backbone.kind == "transformer" else 8)
    loads = _loads(found)
    work = sum(load.iterations * load.work + load.evaluated * load.row_work for load in loads.values())
    assert loads.keys() == found.bound.pipelines.keys() and len(found.first.seeds) * work < WORK_OF_AN_HOUR


@each_piece
def test_settings_are_those_of_the_paper(name: str) -> None:
    for pipeline in rows(name).bound.pipelines.values():
        kind, text = pipeline.backbone.kind, not pipeline.backbone.kind.startswith("resnet")
        rate, epochs = {"transformer": (1e-4, 30), "vdcnn9": (1e-3, 20)}.get(kind, (1e-3, 200))
        assert (pipeline.optim.learning_rate, pipeline.run.epochs, pipeline.optim.batch_size) == (rate, epochs, 64)
        assert pipeline.optim.schedule.kind == ("constant" if text else "milestones")
        assert pipeline.data.augment.kind == ("none" if text else "crop_flip")
        assert pipeline.data.limit is None


@pytest.mark.parametrize(("name", "length"), [("table4", 4), ("table5", 4), ("table6", 6)])
def test_every_row_of_a_table_has_the_papers_number(name: str, length: int) -> None:
    numbers = [printed_in(name, row) for row in rows(name).bound.pipelines]
    assert len(numbers) == length and None not in numbers


def test_rows_of_tables_2_and_3_are_data_and_backbones_of_the_paper() -> None:
    content = tomllib.loads((FOLDER.parents[1] / "cgl_ignite" / "analysis" / "paper.toml").read_text("utf-8"))
    printed = {(row["dataset"], row["backbone"]) for row in content["result"]}
    assert printed == {
        (one.data.kind, one.backbone.kind)
        for name in ("table2", "table3")
        for one in rows(name).bound.pipelines.values()
    }


def test_what_each_figure_varies() -> None:
    population = {name: one.method for name, one in rows("figure3").bound.pipelines.items()}
    assert {method.students for method in population.values()} == {1, 2, 4, 8, 16, 32}
    assert {population[f"cgl students={k}"].choose.options["imitated"] for k in (2, 32)} == {2}
    assert [one.method.choose.options["probability"] for one in rows("figure4").bound.pipelines.values()][::4] == [
        0.125, 1.0,
    ]  # fmt: skip
    structures = rows("table7").bound.pipelines
    assert [one.method.routing.options["seed"] for one in structures.values()] == [*range(1, 9), *range(1, 14)]
    ramps = [one.method.ramp.end for one in rows("table5").bound.pipelines.values()]
    assert ramps == [0.0, 0.2, 0.4, 0.8]


def tiny(pipeline: Pipeline, folder: Path) -> Pipeline:
    """Two epochs of 200 rows of made-up data: small images or short texts, and networks as narrow as can be."""
    text = not pipeline.backbone.kind.startswith("resnet")
    widths = {"transformer": {"width": 8, "embedding": 8, "feed_forward": 8, "heads": 2}}.get(
        pipeline.backbone.kind, {"width": 2}
    )
    drawn = made_up(pipeline)
    form = (
        {"encoding": {**values(drawn)["data"]["encoding"], "length": 64, "tokenizer": ""}}
        if text
        else {"shape": [3, 8, 8]}
    )
    sizes = {"rows": 240, "limit": 200, "holdout": 40, "test_limit": 40}
    tree = values(drawn)
    return load_pipeline(
        {
            **tree,
            "data": {**tree["data"], **form, **sizes},
            "backbone": {**tree["backbone"], **widths},
            "optim": {**tree["optim"], "batch_size": 16},
            "run": {**tree["run"], "epochs": 2},
            "tracking": {"folder": str(folder)},
        }
    )


def refused(*_: Any) -> None:
    """Store no student as a program, which would take longer than to train it."""
    raise ModelRefused("it is not needed here")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@each_piece
def test_every_cell_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hand_over, "student_model", refused)
    whole = ["sweep.method.students.values=[2, 4, 8, 16, 32]"] if name == "figure3" else []
    found = rows(name, *whole, small=True)
    pipelines = {row: tiny(pipeline, tmp_path) for row, pipeline in found.bound.pipelines.items()}
    report = compare(pipelines, [1], places=found.places, paper=found.paper, tracker=MemoryTracker())
    assert not report.failed
    assert len(report.rows) == ROWS[name] and all(row.accuracy for row in report.rows)
    if name == "figure5":
        ratios = {row.method: row.sharing for row in report.rows}
        assert ratios["1 module"] == 1.0
        assert ratios["8 modules"] < ratios["4 modules"] < ratios["2 modules"] < ratios["4 shared"] < ratios["8 shared"]
