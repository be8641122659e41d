"""The data are part of what a run is: they are looked at before it begins, and it goes on with no others."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.cli.main import cgl
from cgl_ignite.comparison.compare import compare
from cgl_ignite.data import DATASETS, DataSource
from cgl_ignite.errors import InputError, Interrupted
from cgl_ignite.handlers.checkpoint import read_checkpoint
from cgl_ignite.pipeline import run
from cgl_ignite.pipeline.data import read_data
from cgl_ignite.tracking.memory import MemoryTracker
from tests.texts import text_pipeline, without_models

DIGITS = str(Path(__file__).resolve().parents[2] / "pipelines" / "digits_resnet.toml")


class StoppingScreen:
    """Interrupts a run in its second epoch, and remembers the reports of the data."""

    def __init__(self) -> None:
        self.reports: list[Any] = []

    def data(self, report: Any) -> None:
        self.reports.append(report)

    def iteration(self, state: Any) -> None:
        if state.epoch == 2:
            raise Interrupted("interrupted by a test")

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: None


class Board:
    """Shows nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: None


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    without_models(monkeypatch)


def swap_labels(reviews: Path) -> None:
    text = (reviews / "train.tsv").read_text()
    (reviews / "train.tsv").write_text(text.replace("good\t", "x\t").replace("bad\t", "good\t").replace("x\t", "bad\t"))


def add_rows(reviews: Path) -> None:
    with (reviews / "train.tsv").open("a") as file:
        file.write("bad\tnever again\n" * 10)


def add_a_class(reviews: Path) -> None:
    with (reviews / "train.tsv").open("a") as file:
        file.write("fair\tit was a place\n" * 10)


def change_a_word_of_the_test_part(reviews: Path) -> None:
    text = (reviews / "test.tsv").read_text()
    (reviews / "test.tsv").write_text(text.replace("food", "wood"))


CHANGES = [
    (change_a_word_of_the_test_part, ("test.tsv: content: ",)),
    (swap_labels, ("train.tsv: content: ",)),
    (add_rows, ("training: rows: 90, it was 80",)),
    (add_a_class, ("training: rows: 90, it was 80", "classes: bad, fair, good, it was bad, good")),
]


@pytest.fixture
def stopped(tmp_path: Path) -> dict[str, Any]:
    """Give the pipeline of a run that was stopped in its second epoch."""
    document = text_pipeline(tmp_path, method="baseline")
    with pytest.raises(Interrupted):
        run(load_pipeline(document), screen=StoppingScreen(), tracker=MemoryTracker())
    return document


@pytest.mark.parametrize(("change", "named"), CHANGES)
def test_a_run_does_not_go_on_with_other_data(
    stopped: dict[str, Any], change: Callable[[Path], None], named: tuple[str, ...]
) -> None:
    change(Path(stopped["data"]["path"]))
    tracker = MemoryTracker()
    with pytest.raises(InputError, match=r"the data have changed since run \S+ began.*leave out --resume") as caught:
        run(load_pipeline(stopped), resume=True, tracker=tracker)
    assert all(difference in str(caught.value) for difference in named)
    assert not tracker.runs


def test_files_written_again_with_the_same_content_are_the_same_data(stopped: dict[str, Any]) -> None:
    for file in Path(stopped["data"]["path"]).iterdir():
        file.write_bytes(file.read_bytes())
        os.utime(file, (1, 1))
    (result,) = run(load_pipeline(stopped), resume=True, tracker=MemoryTracker())
    assert len(list(Path(stopped["tracking"]["folder"]).glob("runs/*"))) == 1
    kept = read_checkpoint(Path(result.checkpoint))["facts"]["data"]
    assert kept == json.loads((Path(result.checkpoint).parent / "run.json").read_text())["data"]
    assert (kept["training: rows"], kept["test: rows"], kept["classes"]) == ("80", "30", "bad, good")


def test_a_run_that_kept_nothing_about_its_data_goes_on(stopped: dict[str, Any]) -> None:
    (file,) = Path(stopped["tracking"]["folder"]).glob("runs/*/run.json")
    facts = json.loads(file.read_text())
    del facts["data"]
    file.write_text(json.dumps(facts))
    swap_labels(Path(stopped["data"]["path"]))
    assert len(run(load_pipeline(stopped), resume=True, tracker=MemoryTracker())) == 1


def write_images(folder: Path, *classes: str) -> Path:
    for shade, name in enumerate(classes):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(12):
            paint(folder / name / f"{number}.png", (60 * shade + number, 0, 0))
    return folder


def paint(path: Path, colour: tuple[int, int, int], size: int = 8) -> None:
    image = Image.new("RGB", (size, size), colour)
    image.putpixel((0, 0), (255, 255, 255))
    image.save(path)


def image_pipeline(folder: Path) -> dict[str, Any]:
    """Describe a training of one student on images of two colours, which are written."""
    return {
        "data": {
            "kind": "local_images",
            "path": str(write_images(folder / "images", "a", "b")),
            "holdout": 4,
            "size": 8,
        },
        "backbone": {"kind": "resnet8", "width": 8},
        "method": {"preset": "baseline"},
        "optim": {"kind": "sgd", "learning_rate": 0.1, "batch_size": 8},
        "run": {"epochs": 2, "device": "cpu", "checkpoint_every": {"iterations": 1}},
        "tracking": {"folder": str(folder / "tracking")},
    }


def test_an_image_that_was_replaced_is_noticed(tmp_path: Path) -> None:
    document = image_pipeline(tmp_path)
    with pytest.raises(Interrupted):
        run(load_pipeline(document), screen=StoppingScreen(), tracker=MemoryTracker())
    paint(tmp_path / "images" / "b" / "3.png", (200, 100, 50), size=16)
    with pytest.raises(InputError, match=r"the data have changed since run \S+ began: images: bytes"):
        run(load_pipeline(document), resume=True, tracker=MemoryTracker())
    paint(tmp_path / "images" / "b" / "3.png", (63, 0, 0))
    assert len(run(load_pipeline(document), resume=True, tracker=MemoryTracker())) == 1


@pytest.mark.parametrize("interrupted", [True, False])
def test_a_comparison_holds_no_runs_with_different_data(tmp_path: Path, interrupted: bool) -> None:
    document, tracker = image_pipeline(tmp_path), MemoryTracker()
    first, again = ({"baseline": load_pipeline(document)} for _ in range(2))
    if interrupted:
        with pytest.raises(Interrupted):
            compare(first, [1], Board(), screen=StoppingScreen(), tracker=tracker)
    else:
        compare(first, [1], Board(), tracker=tracker)
    write_images(tmp_path / "images", "a", "b", "c")
    (folder,) = (tmp_path / "tracking" / "comparisons").iterdir()
    with pytest.raises(InputError, match="classes: a, b, c, it was a, b") as caught:
        compare(again, [1], Board(), tracker=tracker)
    assert f"move or remove {folder} to begin anew" in str(caught.value)
    folder.rename(tmp_path / "aside")
    anew = compare(again, [1], Board(), tracker=tracker)
    (run_id,) = [one.run_id for row in anew.methods for one in row.runs.values()]
    kept = json.loads((tmp_path / "tracking" / "runs" / run_id / "run.json").read_text())
    assert kept["data"]["classes"] == "a, b, c"
    assert len(list((tmp_path / "tracking" / "runs").iterdir())) == 2


def test_the_report_is_shown_once_and_kept_with_every_run(tmp_path: Path) -> None:
    screen = StoppingScreen()
    document = text_pipeline(tmp_path, method="baseline")
    with pytest.raises(Interrupted):
        run(load_pipeline(document), screen=screen, tracker=MemoryTracker())
    (report,) = screen.reports
    (kept,) = (tmp_path / "tracking" / "runs").glob("*/artifacts/data.json")
    read = json.loads(kept.read_text())
    assert read.items() >= report.tree().items()
    assert [part["rows"] for part in read["parts"].values()] == [60, 20, 30]
    assert kept.with_suffix(".md").read_text() == report.markdown()


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the test part of every data set be unreadable."""
    build = DATASETS.build

    def broken_build(*args: Any, **more: Any) -> DataSource:
        return replace(build(*args, **more), test=unreadable)

    def unreadable() -> Any:
        raise InputError("test/7.png cannot be read")

    monkeypatch.setattr(DATASETS, "build", broken_build)


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize(
    "command", [["run"], ["compare", "--seeds", "1"], ["compare", "--seeds", "1", "--jobs", "2"], ["check", "--data"]]
)
def test_a_fault_of_the_test_part_ends_every_command_before_the_training(workdir: Path, command: list[str]) -> None:
    done = CliRunner().invoke(cgl, [command[0], DIGITS, *command[1:]])
    assert done.exit_code == 2, done.output
    assert "test/7.png cannot be read" in done.stderr
    assert done.stdout == ""
    assert not list(workdir.glob("mlruns/runs/*")) and not list(workdir.glob("mlruns/comparisons/*/cells.json"))


def test_what_is_read_before_the_training_is_not_read_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    read: list[str] = []
    build = DATASETS.build

    def counting(*args: Any, **more: Any) -> DataSource:
        source = build(*args, **more)

        def test() -> Any:
            read.append("test")
            return source.test()

        return replace(source, test=test)

    monkeypatch.setattr(DATASETS, "build", counting)
    run(load_pipeline({**text_pipeline(tmp_path, method="baseline"), "seeds": [1, 2]}), tracker=MemoryTracker())
    assert read == ["test"]


def test_check_reads_the_data_and_reports_them(workdir: Path) -> None:
    done = CliRunner().invoke(cgl, ["check", "--data", "--json", DIGITS])
    assert done.exit_code == 0, done.output
    data = json.loads(done.stdout)[DIGITS]["data"]
    assert [part["rows"] for part in data["parts"].values()] == [1200, 237, 360]
    shown = CliRunner().invoke(cgl, ["check", "--data", DIGITS, "--set", "data.holdout=1"])
    assert shown.exit_code == 0
    assert f"{DIGITS}: ok" in shown.stdout and "1,436" in shown.stdout
    assert "warning: the holdout part is a single row" in shown.stdout
    assert not list(workdir.iterdir())


def test_check_names_the_faults_in_the_data_of_all_pipelines(workdir: Path) -> None:
    names = ("a.toml", "b.toml")
    for name in names:
        Path(name).write_text(f'extends = "{DIGITS}"\n[data]\nkind = "local_images"\npath = "no/{name}"\n')
    done = CliRunner().invoke(cgl, ["check", "--data", *names])
    assert done.exit_code == 2 and done.stdout == ""
    for name in names:
        assert f"{name}: data.path: there is no folder {workdir / 'no' / name}" in done.stderr


def unequal_tickets(folder: Path) -> dict[str, Any]:
    """A pipeline of 20 training rows, 2 of them of a rare class, with 2 rows in the holdout."""
    rows = [f"{'rare' if number < 2 else 'often'},text {number}" for number in range(20)]
    for name, lines in (("train", rows), ("test", rows[:4])):
        (folder / f"{name}.csv").write_text("\n".join(["label,text", *lines]))
    document = text_pipeline(folder / "reviews", method="baseline")
    table = {"kind": "local_text", "path": str(folder), "holdout": 2, "encoding": document["data"]["encoding"]}
    return {**document, "data": table}


def test_a_holdout_without_a_class_tells_how_to_get_one(tmp_path: Path) -> None:
    document = unequal_tickets(tmp_path)
    data = read_data(load_pipeline(document))
    seed = next(seed for seed in range(20) if data.splits(seed).holdout.counts(2).min() == 0)
    report = data.report(seed)
    assert "the holdout part has no row of class 'rare'" in report.warnings
    assert report.notes[-1] == "data.stratified_holdout = true keeps the share of every class in the holdout"
    seed = next(seed for seed in range(20) if data.splits(seed).holdout.counts(2).min() == 1)
    assert "stratified" not in str(data.report(seed).notes)
    document["data"] |= {"holdout": 10, "stratified_holdout": True}
    stratified = read_data(load_pipeline(document))
    assert [stratified.splits(seed).holdout.counts(2).tolist() for seed in range(5)] == [[9, 1]] * 5


def test_with_a_validation_part_the_keys_of_the_holdout_are_not_used(tmp_path: Path) -> None:
    document = unequal_tickets(tmp_path)
    (tmp_path / "val.csv").write_text("label,text\noften,text 90\noften,text 91\n")
    document["data"] |= {"stratified_holdout": True}
    report = read_data(load_pipeline(document)).report(1)
    assert "the holdout part has no row of class 'rare'" in report.warnings
    assert report.notes[-2:] == (
        "the validation part is the holdout, data.holdout = 2 is not used",
        "the validation part is the holdout, data.stratified_holdout = true is not used",
    )
