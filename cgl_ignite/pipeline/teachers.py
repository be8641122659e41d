"""Frozen teachers of a run: students of earlier runs, or the pool of the run itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from cgl_ignite.config.schema import AVERAGE, ENSEMBLE, Pipeline
from cgl_ignite.data import Normaliser, Splits, dump_tokenizer
from cgl_ignite.data.digest import file_hash
from cgl_ignite.engine.evaluate import pool_logits
from cgl_ignite.errors import InputError
from cgl_ignite.handlers.weight_average import WeightAverage
from cgl_ignite.imitation import FrozenTeachers
from cgl_ignite.pipeline.find import find_run
from cgl_ignite.pool import ModularNetwork
from cgl_ignite.pool.cost import LayerCost, plan_cost
from cgl_ignite.pool.plan import RouteTable
from cgl_ignite.pool.probe import inputs_for
from cgl_ignite.pretrained import identify_weights
from cgl_ignite.spec import InputSpec
from cgl_ignite.student import Card, read_student, tokenizer_of
from cgl_ignite.tasks import Task, task_of

__all__ = [
    "PoolTeachers",
    "distil_teachers_work",
    "ensemble_work",
    "frozen_work",
    "identify_files",
    "identify_teachers",
    "load_teachers",
    "teacher_file",
    "teachers_work",
]


class PoolTeachers:
    """All students of a pool, in one planned forward pass; shared prefixes are computed once."""

    def __init__(self, pool: ModularNetwork) -> None:
        self.pool = pool

    def __call__(self, inputs: Tensor) -> Tensor:
        """Return the logits of all students, (K, B, C)."""
        return pool_logits(self.pool, inputs)


class AverageTeachers:
    """The averaged weights of all students of the run itself (Tarvainen & Valpola 2017)."""

    def __init__(self, average: WeightAverage) -> None:
        self.average = average

    def __call__(self, inputs: Tensor) -> Tensor:
        """Return the logits of all averaged students, (K, B, C)."""
        assert self.average.averaged is not None
        return pool_logits(self.average.averaged, inputs)


class StudentTeachers:
    """Students of earlier runs, which read pixels: what the run has normalised is turned back.

    Args:
        students: from pixels in [0, 1], or token ids, to logits.
        normaliser: of the run; None for token ids.
    """

    def __init__(self, students: Sequence[nn.Module], normaliser: Normaliser | None) -> None:
        self.students = students
        self.normaliser = normaliser

    def __call__(self, inputs: Tensor) -> Tensor:
        """Return their logits, (F, B, C)."""
        with torch.no_grad():
            if self.normaliser is not None:
                shape = (-1, *(1,) * (inputs.dim() - 2))
                inputs = inputs * self.normaliser.std.view(shape) + self.normaliser.mean.view(shape)
            return torch.stack([student(inputs) for student in self.students])


def load_teachers(
    teachers: Sequence[str],
    pipeline: Pipeline,
    splits: Splits,
    device: torch.device,
    average: WeightAverage | None = None,
) -> FrozenTeachers | None:
    """Read the students that ``method.teachers`` names; None if it names none.

    ``average``: that of the run, which ``average`` stands for.

    Raises:
        InputError: no such file or run, or a student that reads other inputs or knows other classes.
    """
    students, names = [], [name for name in teachers if name != AVERAGE]
    for name in names:
        student, card = read_student(teacher_file(name, pipeline), device)
        task = task_of(pipeline.data.kind, pipeline.data.options)
        if fault := _unfit(student, card, splits, task):
            raise InputError(f"the teacher {name!r} {fault}", key="method.teachers")
        students.append(student.to(device))
    normaliser = splits.normaliser.to(device)
    found: list[FrozenTeachers] = []
    if students:
        found.append(StudentTeachers(students, normaliser if isinstance(normaliser, Normaliser) else None))
    if AVERAGE in teachers and average is not None:
        found.append(AverageTeachers(average))
    if len(found) > 1:
        return lambda inputs: torch.cat([each(inputs) for each in found])
    return found[0] if found else None


def teacher_file(name: str, pipeline: Pipeline) -> Path:
    """Find the file of a teacher: the path of a student file, or a finished run by its id.

    Raises:
        InputError: neither of them.
    """
    if name == "latest":
        raise InputError("the teacher 'latest' changes with every run; give the id of the run", key="method.teachers")
    if (path := Path(name).expanduser()).is_file():
        return path
    runs = pipeline.tracking.folder.expanduser().absolute() / "runs"
    try:
        student = find_run(runs, name).student
    except InputError as error:
        raise InputError(f"the teacher {name!r} is neither a file nor a run: {error}", key="method.teachers") from None
    if not student.is_file():
        raise InputError(f"the teacher {name!r} is a run without a student: it is not finished", key="method.teachers")
    return student


def teachers_work(teachers: Sequence[str], pipeline: Pipeline, spec: InputSpec) -> float:
    """Count the multiply-adds of the forward passes of the students in files that are named, for one sample.

    Raises:
        InputError: no such file or run.
    """
    inputs, work = inputs_for(spec), 0
    for name in teachers:
        student, _ = read_student(teacher_file(name, pipeline))
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            student(inputs)
        work += counter.get_total_flops() // 2
    return work / len(inputs)


def frozen_work(pipeline: Pipeline, spec: InputSpec, routes: RouteTable, costs: Sequence[LayerCost]) -> float:
    """Count the multiply-adds of all teachers of ``method.teachers`` for one sample.

    Raises:
        InputError: a teacher that is not there.
    """
    teachers = pipeline.method.teachers
    own = ensemble_work(routes, costs) if AVERAGE in teachers else 0.0
    return own + teachers_work([name for name in teachers if name != AVERAGE], pipeline, spec)


def distil_teachers_work(pipeline: Pipeline, spec: InputSpec, routes: RouteTable, costs: Sequence[LayerCost]) -> float:
    """Count the multiply-adds of the teachers of the distillation at the end for one sample.

    Raises:
        InputError: a teacher that is not there.
    """
    assert pipeline.distil is not None
    teacher = pipeline.distil.teacher
    return ensemble_work(routes, costs) if teacher == ENSEMBLE else teachers_work([teacher], pipeline, spec)


def ensemble_work(routes: RouteTable, costs: Sequence[LayerCost]) -> float:
    """Count the multiply-adds of one forward pass of all students for one sample.

    Prefixes that they share, running statistics included, count once.
    """
    return plan_cost(routes.evaluation, costs, [1]).multiply_adds


def identify_teachers(pipeline: Pipeline) -> dict[str, str]:
    """Digest the files of all teachers that a pipeline names, by their names.

    Raises:
        InputError: no such file or run.
    """
    last = pipeline.distil.teacher if pipeline.distil else ENSEMBLE
    names = [*pipeline.method.teachers, *([] if last == ENSEMBLE else [last])]
    names = [name for name in names if name != AVERAGE]
    files = {name: teacher_file(name, pipeline) for name in names}
    return {name: file_hash(path) for name, path in files.items()}


def identify_files(pipeline: Pipeline) -> dict[str, str] | None:
    """Digest all files besides the data that decide what a run learns, by their names: of teachers, and of weights.

    None if one of them is not there: nothing is known then.
    """
    try:
        return {**identify_teachers(pipeline), **identify_weights(pipeline.backbone)}
    except InputError:
        return None


def _unfit(student: nn.Module, card: Card, splits: Splits, task: Task) -> str | None:
    """Say why a student cannot be a teacher on these data; None if it can."""
    spec = splits.spec
    if (card.modality, tuple(card.shape)) != (spec.modality, tuple(spec.shape)):
        return f"reads {_form(card.modality, card.shape)}, and the data are {_form(spec.modality, spec.shape)}"
    if tuple(card.classes) != tuple(splits.classes):
        return f"answers {len(card.classes)} classes that are not the {len(splits.classes)} of the data, in their order"
    if card.labelled is not task:
        return f"has learned the task {card.task!r}, and the run has {task.name!r}"
    tokenizer = tokenizer_of(student)
    if splits.tokenizer is not None and (
        tokenizer is None or dump_tokenizer(tokenizer) != dump_tokenizer(splits.tokenizer)
    ):
        return "has another tokenizer than the run: texts must be cut into the same tokens"
    return None


def _form(modality: str, shape: Sequence[int]) -> str:
    return f"{modality} of {' x '.join(map(str, shape))}"
