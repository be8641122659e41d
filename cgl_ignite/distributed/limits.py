"""What several processes cannot divide, each with what to do instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from cgl_ignite.config.schema import AVERAGE, Pipeline
from cgl_ignite.errors import InputError

__all__ = ["faults", "portions_of", "reduction_of", "refuse_undivided"]

ONE_PROCESS = "or leave out torchrun, for one process"

Fault = tuple[str, str]
"""A key of the pipeline, and why its value does not go with several processes."""

Rule = Callable[[Pipeline], "str | None"]


def _shared_statistics(pipeline: Pipeline) -> str | None:
    if pipeline.method.statistics == "student":
        return None
    return f"'shared' moves the running statistics of a module batch by batch, in order; take 'student', {ONE_PROCESS}"


def _turns(pipeline: Pipeline) -> str | None:
    if pipeline.method.update == "together":
        return None
    return (
        f"'in turn' lets one student learn at a time, so other processes would be idle; take 'together', {ONE_PROCESS}"
    )


def _averaged_teachers(pipeline: Pipeline) -> str | None:
    if AVERAGE not in pipeline.method.teachers:
        return None
    return (
        "the averaged weights that teach need the running statistics of all students in every iteration, and each"
        f" process has those of its students; take the students of an earlier run, {ONE_PROCESS}"
    )


def _distillation(pipeline: Pipeline) -> str | None:
    if pipeline.distil is None:
        return None
    return f"the student of a distillation is trained by one process; leave [distil] out, {ONE_PROCESS}"


def _graphs(pipeline: Pipeline) -> str | None:
    if pipeline.run.graphs is not True:
        return None
    return f"iterations that exchange gradients are not replayed; leave it out, {ONE_PROCESS}"


def _flowing_gradient(pipeline: Pipeline) -> str | None:
    if pipeline.method.loss.teacher_gradient != "flows" or pipeline.method.choose.kind == "nobody":
        return None
    return (
        "'flows' lets gradients reach the students that are imitated, and processes whose students read the same batch"
        f" exchange logits alone; take 'stopped', {ONE_PROCESS}"
    )


def _teacher_of_all(pipeline: Pipeline) -> str | None:
    if not pipeline.method.loss.teacher_label_weight:
        return None
    return (
        "the teacher's own loss has a gradient for all students that it mixes, and processes whose students read the"
        f" same batch exchange logits alone; take 0, {ONE_PROCESS}"
    )


def _mean_at_splits(pipeline: Pipeline) -> str | None:
    if pipeline.method.loss.trunk_gradient == "sum":
        return None
    return (
        "'mean' needs the gradients of all students wherever paths split, and each process has those of its students;"
        f" take 'sum', {ONE_PROCESS}"
    )


def _weights_of_outputs(pipeline: Pipeline) -> str | None:
    if (kind := pipeline.method.weigh.kind) == "mean":
        return None
    return (
        f"{kind!r} looks into all students that read a batch, and each process runs only its own;"
        f" take 'mean', {ONE_PROCESS}"
    )


RULES: Mapping[str, Rule] = {
    "method.statistics": _shared_statistics,
    "method.update": _turns,
    "method.teachers": _averaged_teachers,
    "distil": _distillation,
    "run.graphs": _graphs,
}
"""What no pool can be divided with."""

ONE_BATCH: Mapping[str, Rule] = {
    "method.weigh": _weights_of_outputs,
    "method.loss.teacher_gradient": _flowing_gradient,
    "method.loss.teacher_label_weight": _teacher_of_all,
    "method.loss.trunk_gradient": _mean_at_splits,
}
"""With what students that read the same batch cannot be divided."""


def faults(pipeline: Pipeline, processes: int) -> list[Fault]:
    """List what of a pipeline does not go with so many processes."""
    found, students = _broken(pipeline, RULES), pipeline.method.students
    if students == 1:
        message = f"a single network is trained by one process; take more students, {ONE_PROCESS}"
        return [*found, ("method.students", message)]
    if pipeline.method.subsets.kind == "whole":
        found += _broken(pipeline, ONE_BATCH)
    if not found and students < processes:
        message = f"{students} students are too few for {processes} processes; start at most {students}"
        found = [("method.students", message)]
    return found


def portions_of(pipeline: Pipeline, group_of: Sequence[int]) -> tuple[int, ...]:
    """Number what one process works on as a whole: one student, or all students that read the same batch.

    Args:
        pipeline: what is run.
        group_of: for each student, the data group it learns from.

    Returns:
        For each student, its portion.
    """
    together = _broken(pipeline, RULES) or _broken(pipeline, ONE_BATCH)
    return tuple(group_of if together else range(len(group_of)))


def refuse_undivided(pipeline: Pipeline, portions: int, processes: int) -> None:
    """Make sure that every process has something to do, and that nothing needs one process alone.

    Args:
        pipeline: what is run.
        portions: how many there are (:func:`portions_of`).
        processes: how many there are.

    Raises:
        InputError: it does not.
    """
    found = faults(pipeline, processes)
    if not found and portions < processes:
        message = f"{portions} data groups are too few for {processes} processes; start at most {portions}"
        found = [*_broken(pipeline, ONE_BATCH), ("method.subsets", message)]
    if found:
        key, message = found[0]
        raise InputError(message, key=key)


def _broken(pipeline: Pipeline, rules: Mapping[str, Rule]) -> list[Fault]:
    return [(key, fault) for key, rule in rules.items() if (fault := rule(pipeline))]


def reduction_of(pipeline: Pipeline, device: str, processes: int) -> Literal["ordered", "fast"]:
    """Return how the gradients of a run are added up: ``run.reduce``, or what suits its device.

    On a CPU ``ordered`` costs little beside the arithmetic, and a run of several processes can go on with any other
    number of them. On GPUs, which promise no bits anyway, it would send more than the gradients are worth.

    Args:
        pipeline: what is run.
        device: type of the device.
        processes: how many there are; one adds up in the order of the portions only if it is asked to.
    """
    if pipeline.run.reduce is not None:
        return pipeline.run.reduce
    return "ordered" if processes > 1 and device == "cpu" else "fast"
