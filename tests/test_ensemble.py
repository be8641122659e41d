"""All students of a run together: the scores of a plain loop over its students, and the work of their plan."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cgl_ignite.ensemble import measure_ensemble
from cgl_ignite.errors import InputError
from cgl_ignite.pipeline import RunResult
from cgl_ignite.pool import modular_layers
from cgl_ignite.pool.cost import measure_layers
from cgl_ignite.runs import design_of, open_pool, open_run, take_student
from cgl_ignite.student import logits, read_test_part
from tests.student.runs import finished_run
from tests.texts import finished_text_run


def check_against_plain_loop(which: str, folder: Path, data: str, limit: int | None) -> None:
    run = open_pool(which, folder)
    test = read_test_part(data, run.card(0), folder, limit, run.tokenizer)
    alone = torch.stack([logits(take_student(run, k)[0], test.inputs).double() for k in range(run.students)])
    together = alone.softmax(-1).mean(0)
    found = measure_ensemble(run, test).scores
    assert found.n == len(test)
    assert found.ensemble.accuracy == pytest.approx(100 * (together.argmax(-1) == test.targets).double().mean().item())
    truth = together[torch.arange(len(test)), test.targets]
    assert found.ensemble.cross_entropy == pytest.approx(-truth.log().mean().item(), abs=1e-5)
    hits = (alone.argmax(-1) == test.targets).double().mean(1) * 100
    assert [student.accuracy for student in found.students] == pytest.approx(hits.tolist())


def test_pictures_score_as_a_loop_over_the_students(result: RunResult, folder: Path) -> None:
    check_against_plain_loop("latest", folder, "digits", 400)
    scores = measure_ensemble(open_pool("latest", folder), read_test_part("digits", open_run("latest", folder).card(0)))
    assert scores.scores.students[result.selected_student].accuracy == pytest.approx(result.test_accuracy, abs=1e-4)
    assert scores.scores.mean.accuracy == pytest.approx(result.mean_test_accuracy, abs=1e-4)


def test_texts_score_as_a_loop_over_the_students(tmp_path: Path) -> None:
    run = finished_text_run(tmp_path)
    check_against_plain_loop(run.checkpoint, tmp_path, "local_text", None)


def test_a_shared_trunk_is_counted_once(tmp_path: Path) -> None:
    finished_run(tmp_path, 'method.preset="cl_ilr"', "run.epochs=1")
    run = open_pool("latest", tmp_path)
    pipeline, backbone, routing = design_of(run)
    work = [layer.forward for layer in measure_layers(modular_layers(backbone), run.spec)]
    trunk = next(number for number, modules in enumerate(routing.modules) if modules > 1)
    assert pipeline.method.students == 3 and 0 < trunk < len(work)
    found = measure_ensemble(run, read_test_part("digits", run.card(0), limit=20))
    assert found.multiply_adds_student == sum(work)
    assert found.multiply_adds == sum(work[:trunk]) + 3 * sum(work[trunk:])
    assert found.cost == pytest.approx(found.multiply_adds / sum(work))


def test_students_with_statistics_of_their_own_share_nothing(result: RunResult, folder: Path) -> None:
    run = open_pool("latest", folder)
    assert measure_ensemble(run, read_test_part("digits", run.card(0), limit=20)).cost == 3


def test_what_is_no_pool_is_refused(result: RunResult, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"holds one student; give the run .* {result.run_id[:8]}"):
        open_pool(result.student, folder)
    with pytest.raises(InputError, match=r"there is no file gone\.pt"):
        open_pool("gone.pt", folder)
    finished_run(tmp_path, 'method.preset="baseline"', "method.students=1", "run.epochs=1")
    with pytest.raises(InputError, match=r"run run-\d has one student, which is no ensemble"):
        open_pool("latest", tmp_path)
