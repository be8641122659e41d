"""Frozen teachers, and the distillation at the end of a run."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.comparison.budget import budget, budgets, with_epochs
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.errors import ConfigError, InputError
from cgl_ignite.handlers.checkpoint import read_checkpoint
from cgl_ignite.pipeline import RunResult, run
from cgl_ignite.pipeline.data import read_data
from cgl_ignite.pipeline.distil import pipeline_of_distillation
from cgl_ignite.pipeline.teachers import load_teachers
from cgl_ignite.runs import open_run, rebuild_pool, take_student
from cgl_ignite.spec import InputSpec
from cgl_ignite.student import Student, read_student, write_student
from cgl_ignite.tracking import RunInfo
from cgl_ignite.tracking.files import read_rows
from cgl_ignite.tracking.memory import MemoryTracker
from tests.equivalence.test_resume import PIPELINE, Stop, StoppingScreen, assert_identical, outcome

SMALL = [
    "method.preset=dml",
    "backbone.width=4",
    "data.limit=200",
    "data.holdout=40",
    "run.epochs=2",
    "run.device=cpu",
]
DISTIL = "distil={epochs=2}"
LENGTH = 10
"""Iterations of an epoch: 160 rows in batches of 16."""


def pipeline(folder: Path, *changes: str) -> Pipeline:
    return load_pipeline(PIPELINE, [*SMALL, *changes, f"tracking.folder={folder}"])


def trained(folder: Path, *changes: str) -> RunResult:
    (result,) = run(pipeline(folder, *changes), tracker=MemoryTracker())
    return result


@pytest.fixture(scope="module")
def distilled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunResult]:
    folder = tmp_path_factory.mktemp("distilled")
    return folder, trained(folder, DISTIL)


def test_the_student_of_the_distillation_is_handed_over(distilled: tuple[Path, RunResult]) -> None:
    folder, result = distilled
    assert (result.students, result.selected_student, result.selected_epoch) == (3, 0, 4)
    assert result.parameters == 4 * result.parameters_student
    student, card = take_student(open_run(result.run_id, folder))
    assert (card.method, card.students) == ("dml, distilled", 1)
    assert sum(parameter.numel() for parameter in student.parameters()) == result.parameters_student


def test_its_epochs_follow_those_of_the_pool_and_the_test_set_is_read_once(distilled: tuple[Path, RunResult]) -> None:
    folder, result = distilled
    rows = read_rows(folder / "runs" / result.run_id / "metrics.jsonl")
    assert [(row.epoch, row.final) for row in rows] == [(1, False), (2, False), (3, False), (4, False), (4, True)]
    students = [sum(key.startswith("holdout/accuracy/student_") for key in row.values) for row in rows[:4]]
    assert students == [3, 3, 1, 1]


def test_the_learning_rate_begins_anew(tmp_path: Path) -> None:
    result = trained(tmp_path, DISTIL, 'optim.schedule={kind="cosine"}')
    rows = read_rows(tmp_path / "runs" / result.run_id / "metrics.jsonl")
    rates = [row.values["schedule/learning_rate"] for row in rows[:4]]
    assert rates[2:] == pytest.approx(rates[:2])


@pytest.mark.parametrize("stopped_at", [5, 2 * LENGTH, 2 * LENGTH + 1, 3 * LENGTH + 3, 4 * LENGTH])
def test_a_killed_run_resumes_in_either_stage(
    tmp_path: Path, distilled: tuple[Path, RunResult], stopped_at: int
) -> None:
    setting, tracker = pipeline(tmp_path, DISTIL, "run.checkpoint_every={iterations = 3}"), MemoryTracker()
    with pytest.raises(Stop):
        run(setting, screen=StoppingScreen(stopped_at, Stop), tracker=tracker)
    (result,) = run(setting, resume=True, tracker=tracker)
    folder, whole = distilled
    assert_identical(outcome(tmp_path, result.run_id), outcome(folder, whole.run_id))


def test_averages_and_the_selected_start_resume_too(tmp_path: Path) -> None:
    changes = ['distil={epochs=2, start="selected"}', 'run.average={kind="ema", decay=0.9, start=0.25}']
    whole = trained(tmp_path / "whole", *changes)
    setting, tracker = (
        pipeline(tmp_path / "stopped", *changes, "run.checkpoint_every={iterations = 3}"),
        MemoryTracker(),
    )
    with pytest.raises(Stop):
        run(setting, screen=StoppingScreen(3 * LENGTH - 1, Stop), tracker=tracker)
    (result,) = run(setting, resume=True, tracker=tracker)
    assert_identical(outcome(tmp_path / "stopped", result.run_id), outcome(tmp_path / "whole", whole.run_id))


def test_a_student_that_starts_from_the_selected_one_has_its_weights(tmp_path: Path) -> None:
    """With a rate of almost 0 the student of the distillation stays what it was: the selected student of the pool."""
    changes = ["run.checkpoint_every={iterations = 1}", "optim.learning_rate=1e-12"]
    plain = trained(tmp_path / "plain", *changes)
    chosen, _ = take_student(open_run(plain.run_id, tmp_path / "plain"))
    result = trained(tmp_path / "same", *changes, 'distil={epochs=1, start="selected"}')
    student, _ = take_student(open_run(result.run_id, tmp_path / "same"))
    for name, value in chosen.named_parameters():
        torch.testing.assert_close(student.get_parameter(name), value, atol=1e-6, rtol=0)


def test_a_student_of_an_earlier_run_teaches(tmp_path: Path, distilled: tuple[Path, RunResult]) -> None:
    _, teacher = distilled
    plain = trained(tmp_path / "plain", "method.preset=baseline")
    taught = trained(tmp_path / "taught", "method.preset=baseline", f'method.teachers=["{teacher.student}"]')
    values = [
        read_rows(tmp_path / name / "runs" / result.run_id / "metrics.jsonl")[0].values
        for name, result in (("plain", plain), ("taught", taught))
    ]
    assert values[0]["training/imitation_mean"] == 0 < values[1]["training/imitation_mean"]


@pytest.mark.parametrize("preset", ["baseline", "dml", "one", "cgl"])
def test_every_sort_of_method_may_have_teachers(tmp_path: Path, distilled: tuple[Path, RunResult], preset: str) -> None:
    _, teacher = distilled
    trained(tmp_path, f"method.preset={preset}", f'method.teachers=["{teacher.student}"]', "run.epochs=1")


def test_the_average_of_a_student_teaches_it(tmp_path: Path) -> None:
    """The first epoch imitates already, and its cost is that of one more forward pass."""
    changes = ["method.preset=baseline", 'run.average={kind="ema", decay=0.9}']
    taught = [*changes, 'method.teachers=["average"]', "method.ramp={start=0.0, end=0.0}"]
    result = trained(tmp_path, *taught)
    values = read_rows(tmp_path / "runs" / result.run_id / "metrics.jsonl")[0].values
    assert values["training/imitation_mean"] > 0
    costs = [budget(pipeline(tmp_path, *more), read_data(pipeline(tmp_path)).source).work for more in (changes, taught)]
    assert costs[1] / costs[0] == pytest.approx(4 / 3, rel=0.03)


def test_a_run_whose_average_teaches_resumes(tmp_path: Path) -> None:
    changes = ['run.average={kind="ema", decay=0.9}', 'method.teachers=["average"]']
    whole = trained(tmp_path / "whole", *changes)
    setting = pipeline(tmp_path / "stopped", *changes, "run.checkpoint_every={iterations = 3}")
    tracker = MemoryTracker()
    with pytest.raises(Stop):
        run(setting, screen=StoppingScreen(LENGTH + 4, Stop), tracker=tracker)
    (result,) = run(setting, resume=True, tracker=tracker)
    assert_identical(outcome(tmp_path / "stopped", result.run_id), outcome(tmp_path / "whole", whole.run_id))


def test_an_average_teaches_only_where_there_is_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'average' is the average of the weights, and there is none"):
        pipeline(tmp_path, 'method.teachers=["average"]')


def test_teachers_that_do_not_fit_are_refused(tmp_path: Path, distilled: tuple[Path, RunResult]) -> None:
    _, teacher = distilled
    with pytest.raises(InputError, match="the teacher 'nobody' is neither a file nor a run"):
        trained(tmp_path, 'method.teachers=["nobody"]')
    splits = read_data(pipeline(tmp_path)).splits(1)
    load = partial(load_teachers, [teacher.student], pipeline(tmp_path), device=torch.device("cpu"))
    with pytest.raises(InputError, match="reads image of 1 x 8 x 8, and the data are image of 3 x 8 x 8"):
        load(splits=replace(splits, spec=InputSpec("image", (3, 8, 8))))
    with pytest.raises(InputError, match="answers 10 classes that are not the 10 of the data, in their order"):
        load(splits=replace(splits, classes=splits.classes[::-1]))


def test_the_teacher_of_a_distillation_is_looked_at_before_the_training(
    tmp_path: Path, distilled: tuple[Path, RunResult]
) -> None:
    """It is a network for images of another size; no epoch is trained before that is said."""
    _, teacher = distilled
    student, card = read_student(Path(teacher.student))
    assert isinstance(student, Student)
    other = tmp_path / "other.pt"
    write_student(other, student, card.model_copy(update={"classes": card.classes[::-1]}))
    with pytest.raises(InputError, match="answers 10 classes that are not the 10 of the data"):
        trained(tmp_path, f'distil={{epochs=1, from="{other}"}}')
    assert not list(tmp_path.rglob("metrics.jsonl"))


def test_a_teacher_that_has_changed_is_noticed(tmp_path: Path, distilled: tuple[Path, RunResult]) -> None:
    _, teacher = distilled
    file = tmp_path / "teacher.pt"
    file.write_bytes(Path(teacher.student).read_bytes())
    setting = pipeline(tmp_path, f'method.teachers=["{file}"]', "run.checkpoint_every={iterations=1}")
    tracker = MemoryTracker()
    with pytest.raises(Stop):
        run(setting, screen=StoppingScreen(3, Stop), tracker=tracker)
    other = trained(tmp_path / "other", "method.preset=baseline", "seeds=[2]")
    file.write_bytes(Path(other.student).read_bytes())
    with pytest.raises(InputError, match=r"the file of the teachers '.*teacher\.pt' has changed since run"):
        run(setting, resume=True, tracker=tracker)


def test_the_loss_of_the_distillation() -> None:
    """The divergence has the weight that is given, and the labels the rest."""
    made = pipeline_of_distillation(load_pipeline(PIPELINE, [*SMALL, "distil={epochs=3, weight=0.75, temperature=4}"]))
    loss = made.method.loss
    assert (loss.label_weight, loss.imitation_weight, loss.temperature, loss.mixes) == (0.25, 0.75, 4, "probabilities")
    assert (made.run.epochs, made.method.students, made.distil) == (5, 1, None)


def test_the_cost_of_a_distillation() -> None:
    """Three networks that share nothing teach one: forward three times, and forward and backward once, as DML's one."""
    plain, longer = (load_pipeline(PIPELINE, [*SMALL, *more]) for more in ([], [DISTIL]))
    source = read_data(plain).source
    before, after = budget(plain, source), budget(longer, source)
    one = before.multiply_adds / 3
    assert after.steps == before.steps + 2 * LENGTH
    forward = (after.work - before.work) / (2 * LENGTH * 16) - one
    assert 0.9 * one < forward < 1.1 * one


def test_equal_cost_stretches_the_distillation() -> None:
    longer = load_pipeline(PIPELINE, [*SMALL, "distil={epochs=3}"])
    assert with_epochs(longer, 6).distil is not None
    assert with_epochs(longer, 6).distil.epochs == 9
    rows: dict[str, Any] = {
        "distilled": longer,
        "baseline": load_pipeline(PIPELINE, [*SMALL[1:], "method.preset=baseline"]),
    }
    costs = budgets(rows, read_data(longer).source, "cost")
    assert costs["baseline"].work == pytest.approx(costs["distilled"].work, rel=0.1)


def test_the_checkpoint_keeps_the_pool_that_teaches(distilled: tuple[Path, RunResult]) -> None:
    _, result = distilled
    checkpoint = read_checkpoint(Path(result.checkpoint))
    assert checkpoint["facts"]["stage"] == "distillation"
    assert len(checkpoint["teachers"]) > len(checkpoint["pool"])
    assert json.dumps(checkpoint["facts"]["paths"]) == "[[0, 0, 0, 0]]"


def test_the_pool_of_a_distilled_run_is_its_student(distilled: tuple[Path, RunResult]) -> None:
    folder, result = distilled
    assert rebuild_pool(open_run(result.run_id, folder)).routes.students == 1


def test_a_run_in_its_distillation_is_not_lengthened(tmp_path: Path, distilled: tuple[Path, RunResult]) -> None:
    folder, _ = distilled
    shutil.copytree(folder, tmp_path / "copy")
    told: list[str] = []
    tracker = MemoryTracker()
    tracker.open(RunInfo("another", "another", None, {}, {}, None))
    screen = StoppingScreen(0, Stop)
    screen.note = told.append  # type: ignore[attr-defined]
    longer = pipeline(tmp_path / "copy", DISTIL, "run.epochs=3")
    (result,) = run(longer, resume=True, screen=screen, tracker=tracker)
    assert result.selected_epoch == 5
    assert any("its pool is trained, and its distillation has begun; a new run begins" in text for text in told)
