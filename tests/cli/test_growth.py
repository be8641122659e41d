"""What methods cost, against the figures of the paper's appendix and counts worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.cli.growth import growth, growth_lines
from cgl_ignite.cli.preview import Preview
from cgl_ignite.config.load import Document, load_document

CIFAR100 = Path("pipelines/cifar100_resnet18.toml")
SIXTEEN_BATCHES = ["data.limit=6024"]
"""The appendix counts an epoch of 16 batches: 1,024 rows to learn from, 64 at a time."""


def document() -> Document:
    return load_document(CIFAR100, SIXTEEN_BATCHES)


def test_student_passes_of_the_appendix() -> None:
    """Eight students of another method: 16 * 8; of CGL with two imitated each: 16 / 8 * (1 + 2) * 8."""
    others = {row.pipeline.method.preset: row for row in growth(document(), counts=[8])}
    for method in ("dml", "cl_ilr", "one", "okddip"):
        assert (others[method].forward_passes, others[method].backward_passes) == (128, 128)
    cgl = load_pipeline(CIFAR100, [*SIXTEEN_BATCHES, 'method={preset="cgl", choose={kind="fixed", size=2}}'])
    assert (Preview.of(cgl).forward_passes, Preview.of(cgl).backward_passes) == (48, 48)


@pytest.mark.parametrize(("pipeline", "constant"), [(CIFAR100, 2), (Path("pipelines/yelp_vdcnn.toml"), 4)])
def test_the_number_of_imitated_students_does_not_grow(pipeline: Path, constant: int) -> None:
    """K p is that of the paper's eight students: 8 * 0.25 for images, 8 * 0.5 for texts."""
    for row in growth(load_document(pipeline, ["data.limit=60000"]), ["cgl"], [2, 4, 8, 16]):
        students, p = row.pipeline.method.students, row.pipeline.method.choose.options["probability"]
        assert students * p == min(constant, students)
        assert row.forecast.imitated / students == pytest.approx(p * (students - 1), rel=0.35)


def test_stopped_teachers_run_forward_only() -> None:
    stopped = ['method={preset="cgl", choose={kind="fixed", size=2}, loss={teacher_gradient="stopped"}}']
    preview = Preview.of(load_pipeline(CIFAR100, [*SIXTEEN_BATCHES, *stopped]))
    assert (preview.forward_passes, preview.backward_passes) == (48, 16)


@pytest.mark.parametrize(
    ("method", "students", "parameters"),
    [
        ("baseline", 1, 11_220_132),
        ("dml", 3, 33_660_396),
        ("dml", 8, 89_761_056),
        ("cl_ilr", 3, 28_110_188),
        ("cl_ilr", 8, 70_335_328),
        ("one", 3, 28_110_965),
        ("okddip", 3, 28_175_724),
        ("okddip", 4, 36_620_752),
        ("cgl", 2, 22_440_264),
        ("cgl", 16, 22_440_264),
    ],
)
def test_parameters(method: str, students: int, parameters: int) -> None:
    (row,) = growth(document(), [method], [students])
    assert row.pipeline.method.students == students
    assert row.parameters == parameters


def test_multiply_adds_of_separate_networks_are_their_sum() -> None:
    alone, *rest = growth(document(), ["baseline", "dml"], [2, 8])
    assert [row.multiply_adds / alone.multiply_adds for row in rest] == [2, 8]


def test_branches_pay_the_trunk_once() -> None:
    """ResNet-18: (trunk + 3 branches) in all, forward and backward, as measured layer by layer."""
    (row,) = growth(document(), ["cl_ilr"], [3])
    work = [cost.forward + cost.backward for cost in row.costs]
    assert row.multiply_adds == 16 * 64 * (sum(work[:7]) + 3 * sum(work[7:]))


def test_what_cannot_be_is_left_out() -> None:
    few = load_document(CIFAR100, ["data.limit=5008"])
    assert {row.pipeline.method.students for row in growth(few, ["cgl"], [2, 4, 8])} == {2, 4}


def test_lines_name_every_method() -> None:
    lines = list(growth_lines(document()))
    assert lines[0].startswith("Every method on this pipeline: cost of an epoch")
    assert len(lines) == 1 + 1 + 1 + 5 * 4 + 1 + 1
    assert lines[-1].startswith("cgl: imitation probability 2 / students, at most 1")
    assert lines[2].split()[:3] == ["baseline", "1", "11,220,132"]
