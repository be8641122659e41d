"""How alike the students of a run are, against a plain loop over its students."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from statistics import fmean

import pytest
import torch
from torch import Tensor

from cgl_ignite.analyses.base import Inapplicable
from cgl_ignite.analyses.diversity import examine, layer_alignments
from cgl_ignite.analyses.subjects import open_subjects
from cgl_ignite.errors import InputError
from cgl_ignite.pipeline import RunResult
from cgl_ignite.runs import open_run, take_student
from cgl_ignite.student import logits, read_test_part
from tests.student.runs import finished_run
from tests.texts import finished_text_run

CPU = torch.device("cpu")


def test_predictions_against_a_plain_loop(result: RunResult, folder: Path) -> None:
    run = open_run("latest", folder)
    test = read_test_part("digits", run.card(0), folder, 400)
    answers = [logits(take_student(run, student)[0], test.inputs).double() for student in range(3)]

    def distance(one: Tensor, other: Tensor) -> float:
        return (one.softmax(-1) - other.softmax(-1)).norm(dim=-1).mean().item()

    def agree(one: Tensor, other: Tensor) -> float:
        return 100 * (one.argmax(-1) == other.argmax(-1)).double().mean().item()

    (found,) = examine(open_subjects(["latest"], folder, CPU)).values["runs"]
    pairs = list(combinations(answers, 2))
    assert found["distance_mean"] == pytest.approx(fmean(distance(*pair) for pair in pairs), abs=1e-5)
    assert found["agreement_mean"] == pytest.approx(fmean(agree(*pair) for pair in pairs), abs=0.2)
    assert found["distance_mean"] == pytest.approx(result.diversity, abs=1e-4)
    assert len(found["cka_of_layers"]) == 5
    assert [row[place] for place, row in enumerate(found["cka"][0])] == pytest.approx([1, 1, 1])


def test_students_of_one_module_are_equal_there(tmp_path: Path) -> None:
    """A shared trunk represents the same for all, up to statistics that are gathered on the same rows."""
    finished_run(tmp_path, 'method.preset="cl_ilr"', "run.epochs=1")
    (subject,) = open_subjects(["latest"], tmp_path, CPU)
    found = layer_alignments(subject, subject.pool(), subject.splits.test())
    trunk = next(
        layer for layer, column in enumerate(zip(*subject.run.facts["paths"], strict=True)) if len(set(column)) > 1
    )
    assert 0 < trunk < len(found)
    assert torch.allclose(found[:trunk], torch.ones(trunk, 3, 3, dtype=torch.float64), atol=1e-9)
    assert (found[trunk][0, 1:] < 0.9999).all()


def test_texts_of_different_lengths(tmp_path: Path) -> None:
    for backbone in ("vdcnn9", "transformer"):
        finished_text_run(tmp_path / backbone, backbone)
        subjects = open_subjects(["latest"], tmp_path / backbone / "tracking", CPU)
        (found,) = examine(subjects).values["runs"]
        assert found["students"] == 8
        assert all(-0.2 < similarity <= 1 + 1e-9 for similarity in found["cka_of_layers"])


def test_one_student_has_nobody_to_differ_from(tmp_path: Path, result: RunResult, folder: Path) -> None:
    finished_run(tmp_path, 'method.preset="baseline"', "method.students=1", "run.epochs=1")
    alone = open_subjects(["latest"], tmp_path, CPU)
    with pytest.raises(Inapplicable, match="each of these runs has one"):
        examine(alone)
    finding = examine([*alone, *open_subjects(["latest"], folder, CPU)])
    assert [row[0] for row in finding.rows] == ["cgl"]
    assert finding.notes[-1] == "baseline: one student, nothing to compare"


def test_too_few_rows(result: RunResult, folder: Path) -> None:
    with pytest.raises(InputError, match="rows must be a number of at least 4, not 3"):
        examine(open_subjects(["latest"], folder, CPU), rows=3)
