"""A comparison in this process: its cells, what is not repeated, what fails, what goes on."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cgl_ignite.catalogue import bind_methods, bind_rows
from cgl_ignite.comparison.cells import ComparisonFolder, identify
from cgl_ignite.comparison.compare import compare
from cgl_ignite.config.load import load_document
from cgl_ignite.errors import InputError, Interrupted
from cgl_ignite.tracking.memory import MemoryTracker
from tests.trackers import FailingGroups

DIGITS = Path(__file__).resolve().parents[2] / "pipelines" / "digits_resnet.toml"
SMALL = ["backbone.width=4", "run.epochs=2", "data.limit=400", "data.holdout=80", "run.device=cpu"]
FAILING = ["methods.wild.preset=baseline", "methods.wild.optim={kind = 'sgd', learning_rate = 1e30}"]


class OtherTracker(MemoryTracker):
    """A second store: its runs have names of their own."""

    uri = "memory:other"

    def open(self, info: Any) -> str:
        run = super().open(info)
        self.runs[f"other-{run}"] = self.runs.pop(run)
        return f"other-{run}"


class SilentBoard:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def update(self, cell: Any) -> None:
        self.told.append((cell.label, cell.status))

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: None


class StoppingScreen:
    """Interrupts the run that is in its second epoch for the n-th time."""

    def __init__(self, count: int) -> None:
        self.left = count

    def iteration(self, state: Any) -> None:
        if state.epoch == 2 and (state.iteration - 1) % state.epoch_length == 0:
            self.left -= 1
            if self.left == 0:
                raise Interrupted("interrupted by a test")

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: None


def start(folder: Path, *changes: str, names=("baseline", "cgl"), seeds=(1, 2), board=None, **more: Any) -> Any:
    document = load_document(DIGITS, [*SMALL, f"tracking.folder={folder}", *changes])
    more.setdefault("tracker", OtherTracker())
    return compare(bind_methods(document, names), seeds, board or SilentBoard(), **more)


def table(report: Any) -> Any:
    """The table without times."""
    return [{key: value for key, value in row.items() if key != "seconds"} for row in report.tree()["table"]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A comparison that nothing has disturbed."""
    tracker, folder = MemoryTracker(), tmp_path_factory.mktemp("whole")
    return start(folder, tracker=tracker), tracker, folder


def test_every_method_has_every_seed_under_one_parent(whole: Any) -> None:
    report, tracker, _ = whole
    assert [(run.method, run.seed) for run in report.runs] == [
        ("baseline", 1), ("baseline", 2), ("cgl", 1), ("cgl", 2),
    ]  # fmt: skip
    parents = {name for name, run in tracker.runs.items() if run.info.seed is None}
    (parent,) = parents
    children = [run for run in tracker.runs.values() if run.info.seed is not None]
    assert len(children) == 4 and {run.info.parent for run in children} == parents
    assert {run.status for run in tracker.runs.values()} == {"FINISHED"}
    files = set(tracker.runs[parent].files)
    assert {"comparison.md", "comparison.csv", "comparison.tex", "comparison.json", "accuracy.png"} <= files
    mean, std = report.rows[1].accuracy
    assert f"{mean:.2f} ± {std:.2f}" in tracker.runs[parent].description


def test_table_is_what_the_runs_have_measured(whole: Any) -> None:
    report, _, folder = whole
    baseline, cgl = report.rows
    scores = {name: [run.test_accuracy for run in report.runs if run.method == name] for name in ("baseline", "cgl")}
    assert cgl.difference == pytest.approx(np.mean(scores["cgl"]) - np.mean(scores["baseline"]))
    assert (baseline.cost.steps, cgl.cost.steps) == (40, 6)
    low, high = cgl.over_samples
    assert low < cgl.difference < high
    assert baseline.paper is None and cgl.paper is None
    for run in report.runs:
        kept = np.load(folder / "runs" / run.run_id / "artifacts" / "test_predictions.npz", allow_pickle=False)
        assert kept["predicted"].dtype == np.uint8 and kept["predicted"].shape == (run.students, 360)
        right = 100 * (kept["predicted"] == kept["targets"]).mean(axis=1)
        assert right[kept["selected"]] == pytest.approx(run.test_accuracy, abs=1e-4)
        assert right.mean() == pytest.approx(run.mean_test_accuracy, abs=1e-4)


def test_files_are_those_of_the_comparison(whole: Any) -> None:
    report, _, folder = whole
    place = folder / "comparisons" / report.folder.name
    assert place == report.folder
    names = {path.name for path in place.iterdir()} - {".lock", "claims"}
    assert names == {
        "cells.json", "comparison.md", "comparison.tex", "comparison.csv", "comparison.json",
        "accuracy.png", "cost.png", "holdout.png", "diversity.png", "agreement.png",
    }  # fmt: skip
    assert json.loads((place / "comparison.json").read_text()) == json.loads(json.dumps(report.tree()))


def test_the_pictures_are_drawn(whole: Any, pictures: None) -> None:
    _, _, folder = whole
    report = start(folder)
    drawn = {path.name: path.read_bytes()[:4] for path in report.folder.glob("*.png")}
    names = ("accuracy.png", "cost.png", "holdout.png", "diversity.png", "agreement.png")
    assert drawn == dict.fromkeys(names, b"\x89PNG")


def test_a_finished_comparison_repeats_nothing(whole: Any) -> None:
    report, _, folder = whole
    tracker, board = OtherTracker(), SilentBoard()
    again = start(folder, tracker=tracker, board=board)
    assert again.tree() == report.tree()
    assert (tracker.calls, board.told) == ([], [])


def test_cells_of_a_teacher_that_has_changed_are_trained_anew(whole: Any, tmp_path: Path) -> None:
    first, second = (Path(run.student) for run in whole[0].runs[:2])
    teacher = tmp_path / "teacher.pt"
    taught = [f"methods.taught.teachers=['{teacher}']", "methods.taught.preset=baseline"]
    notes: list[str] = []
    board, tracker = SilentBoard(), OtherTracker()
    board.note = notes.append  # type: ignore[attr-defined]

    def trained() -> list[str]:
        report = start(tmp_path / "mlruns", *taught, names=("taught",), seeds=(1,), board=board, tracker=tracker)
        return [run.run_id for run in report.runs]

    shutil.copy(first, teacher)
    before = trained()
    assert trained() == before and not notes
    shutil.copy(second, teacher)
    after = trained()
    assert after != before
    assert notes == [f"taught seed 1: {teacher} has changed since run {before[0][:8]}; trained anew"]
    assert trained() == after
    teacher.unlink()
    assert trained() == after  # nothing is known of a file that is gone


def test_another_seed_takes_over_what_is_finished(whole: Any) -> None:
    report, _, folder = whole
    board = SilentBoard()
    more = start(folder, seeds=(1, 2, 3), names=("baseline",), board=board)
    assert {label for label, _ in board.told} == {"baseline seed 3"}
    assert [run.run_id for run in more.runs][:2] == [run.run_id for run in report.runs][:2]
    assert more.folder != report.folder


def test_order_of_methods_and_seeds_is_the_order_of_the_table_only(whole: Any) -> None:
    report, _, folder = whole
    other = start(folder, names=("cgl", "baseline"), seeds=(2, 1))
    assert other.folder == report.folder
    assert [row.method for row in other.rows] == ["cgl", "baseline"]


@pytest.mark.parametrize("count", [1, 4])
def test_an_interrupted_comparison_goes_on(tmp_path: Path, whole: Any, count: int) -> None:
    board, tracker = SilentBoard(), MemoryTracker()
    with pytest.raises(Interrupted):
        start(tmp_path, screen=StoppingScreen(count), tracker=tracker)
    (path,) = tmp_path.glob("comparisons/*/cells.json")
    facts = json.loads(path.read_text())
    assert facts["status"] == "KILLED"
    assert Counter(cell["status"] for cell in facts["cells"])["finished"] == count - 1
    report = start(tmp_path, board=board, tracker=tracker)
    assert len([told for told in board.told if told[1] == "finished"]) == 5 - count
    accuracies = {cell["run_id"]: cell["accuracy"] for cell in json.loads(path.read_text())["cells"]}
    assert accuracies == {run.run_id: run.test_accuracy for run in report.runs}
    assert table(report) == table(whole[0])
    assert len(list(tmp_path.glob("runs/*"))) == 4
    parents = [run for run in tracker.runs.values() if run.info.seed is None]
    assert [run.status for run in parents] == ["FINISHED"]


@pytest.mark.parametrize("broken", ["open", "close"])
def test_a_comparison_whose_parent_was_not_recorded_is_repaired(tmp_path: Path, broken: str) -> None:
    tracker = FailingGroups()
    tracker.broken = broken
    report = start(tmp_path, names=("baseline",), tracker=tracker)
    tracker.broken = ""
    assert table(start(tmp_path, names=("baseline",), tracker=tracker)) == table(report)
    ((parent, group),) = [(name, one) for name, one in tracker.runs.items() if one.info.seed is None]
    singles = [one for one in tracker.runs.values() if one.info.seed is not None]
    assert [(one.info.seed, one.info.parent, one.status) for one in singles] == [
        (1, parent, "FINISHED"),
        (2, parent, "FINISHED"),
    ]
    assert group.status == "FINISHED" and "comparison.md" in group.files and "baseline" in group.description
    calls = len(tracker.calls)
    start(tmp_path, names=("baseline",), tracker=tracker)
    assert set(tracker.calls[calls:]) == {"status"}, "nothing is sent again"


def test_one_failed_run_does_not_lose_the_others(tmp_path: Path) -> None:
    board, tracker = SilentBoard(), MemoryTracker()
    report = start(tmp_path, *FAILING, names=("wild", "baseline"), seeds=(1,), board=board, tracker=tracker)
    ((name, seed, reason),) = report.failed
    assert (name, seed) == ("wild", 1) and "not finite" in reason
    assert [run.method for run in report.runs] == ["baseline"]
    wild, baseline = report.rows
    assert (wild.accuracy, wild.failed) == (None, {1: reason})
    assert baseline.accuracy is not None
    assert "1 failed" in (report.folder / "comparison.md").read_text()
    assert {run.status for run in tracker.runs.values()} == {"FAILED", "FINISHED"}
    again = SilentBoard()
    start(tmp_path, *FAILING, names=("wild", "baseline"), seeds=(1,), board=again, tracker=tracker)
    assert {label for label, _ in again.told} == {"wild seed 1"}


def test_a_comparison_of_failures_still_has_a_table(tmp_path: Path) -> None:
    report = start(tmp_path, *FAILING, names=("wild",), seeds=(1,))
    assert [row.accuracy for row in report.rows] == [None]
    assert "1 failed" in (report.folder / "comparison.tex").read_text()
    assert report.tree()["mean"] == {}


def test_equal_steps_are_another_comparison_with_more_passes(tmp_path: Path) -> None:
    tracker = OtherTracker()
    report = start(tmp_path, equal="steps", seeds=(1,), tracker=tracker)
    assert [(row.cost.steps, row.cost.passes) for row in report.rows] == [(40, 1), (42, 7)]
    (cgl,) = [run for run in report.runs if run.students == 8]
    text = (tmp_path / "runs" / cgl.run_id / "artifacts" / "pipeline.toml").read_text()
    assert "passes_per_epoch = 7" in text
    again = start(tmp_path, equal="steps", seeds=(1,), tracker=tracker)
    assert again.tree() == report.tree()


def test_identity_is_the_content(tmp_path: Path) -> None:
    def identity(*changes: str, names=("baseline", "cgl"), seeds=(1, 2), equal="epochs") -> str:
        return identify(bind_methods(load_document(DIGITS, [*SMALL, *changes]), names), seeds, equal)

    assert identity() == identity("name=other", "run.device=cpu", "run.threads=1", f"tracking.folder={tmp_path}")
    assert identity() == identity(names=("cgl", "baseline"), seeds=(2, 1))
    others = {
        identity("run.epochs=3"), identity("methods.cgl.students=4"), identity(names=("cgl",)), identity(seeds=(1,)),
        identity(equal="steps"), identity(equal="cost"), identity(equal="cost=1e+12"), identity(),
    }  # fmt: skip
    assert len(others) == 8


ROWS = """
extends = "{digits}"
[variants.few.data]
limit = 300
[sweep]
"method.students" = [2, 4]
"""


def test_rows_of_variants_and_axes_read_their_own_data(tmp_path: Path) -> None:
    """Two data sets and two points: each row is one run, trained on its own rows; an interrupted one goes on."""
    path = tmp_path / "rows.toml"
    path.write_text(ROWS.format(digits=DIGITS.as_posix()), encoding="utf-8")
    bound = bind_rows(load_document(path, [*SMALL, f"tracking.folder={tmp_path / 'runs'}"]))
    places = {name: row.place for name, row in bound.plan.rows.items()}

    def run(screen: Any = None) -> Any:
        return compare(bound.pipelines, [1], SilentBoard(), places=places, screen=screen, tracker=MemoryTracker())

    with pytest.raises(Interrupted):
        run(StoppingScreen(4))
    (facts,) = [json.loads(path.read_text()) for path in tmp_path.glob("runs/comparisons/*/cells.json")]
    assert [identity["training: rows"] for identity in facts["datasets"].values()] == ["1,437", "1,437"]
    report = run()
    assert [row.method for row in report.rows] == [
        "base students=2", "base students=4", "few students=2", "few students=4",
    ]  # fmt: skip
    assert [row.points["students"] for row in report.rows] == [2, 4, 2, 4]
    assert [result.students for result in report.runs] == [2, 4, 2, 4]
    rows = [json.loads((Path(one.checkpoint).parent / "result.json").read_text())["method"] for one in report.runs]
    assert len(set(rows)) == 4
    assert [row.cost.steps for row in report.rows] == [20, 10, 14, 8]
    first = report.runs[0].test_accuracy
    assert [row.difference for row in report.rows][:3:2] == [None, report.runs[2].test_accuracy - first]
    assert (report.folder / "comparison.csv").read_text().splitlines()[0].endswith("variant,sharing,axis_students")


def test_two_processes_do_not_share_a_comparison(tmp_path: Path) -> None:
    with (
        ComparisonFolder.opened(tmp_path, "abc"),
        pytest.raises(InputError, match=f"comparison abc is being worked on by another process, {os.getpid()}"),
        ComparisonFolder.opened(tmp_path, "abc"),
    ):
        pass
    with ComparisonFolder.opened(tmp_path, "abc") as folder:
        assert folder.id == "abc"


def test_a_damaged_list_of_cells_is_named(tmp_path: Path) -> None:
    (tmp_path / "abc").mkdir()
    (tmp_path / "abc" / "cells.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"cells\.json"), ComparisonFolder.opened(tmp_path, "abc"):
        pass


def test_a_tracker_of_your_own_takes_one_job(tmp_path: Path) -> None:
    """Child processes would open another one, and nobody would hear of it."""
    with pytest.raises(InputError, match="does not reach the 2 child processes; take jobs = 1"):
        start(tmp_path, jobs=2)
    assert not list(tmp_path.iterdir())
