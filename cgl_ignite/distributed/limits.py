"""What several processes cannot divide, each with what to do instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from cgl_ignite.config.schema import Pipeline
from cgl_ignite.errors import InputError

__all__ = ["faults", "reduction_of", "refuse_undivided"]

ONE_PROCESS = "or leave out torchrun, for one process"

Fault = tuple[str, str]
"""A key of the pipeline, and why its value does not go with several processes."""

Rule = Callable[[Pipeline], "str | None"]


def _shared_statistics(pipeline: Pipeline) -> str | None:
    if pipeline.method.statistics == "student":
        return None
    return f"'shared' moves the running statistics of a module batch by batch, in order; take 'student', {ONE_PROCESS}"


def _whole_data(pipeline: Pipeline) -> str | None:
    if pipeline.method.subsets.kind != "whole":
        return None
    return (
        "with 'whole' all students read the same batch, and processes divide what students read; take 'disjoint',"
        f" {ONE_PROCESS}"
    )


def _turns(pipeline: Pipeline) -> str | None:
    if pipeline.method.update == "together":
        return None
    return (
        f"'in turn' lets one student learn at a time, so other processes would be idle; take 'together', {ONE_PROCESS}"
    )


def _teachers(pipeline: Pipeline) -> str | None:
    if not pipeline.method.teachers:
        return None
    return f"frozen teachers are not divided among processes; leave them out, {ONE_PROCESS}"


def _distillation(pipeline: Pipeline) -> str | None:
    if pipeline.distil is None:
        return None
    return f"the student of a distillation is trained by one process; leave [distil] out, {ONE_PROCESS}"


def _graphs(pipeline: Pipeline) -> str | None:
    if pipeline.run.graphs is not True:
        return None
    return f"iterations that exchange gradients are not replayed; leave it out, {ONE_PROCESS}"


RULES: dict[str, Rule] = {
    "method.statistics": _shared_statistics,
    "method.subsets": _whole_data,
    "method.update": _turns,
    "method.teachers": _teachers,
    "distil": _distillation,
    "run.graphs": _graphs,
}


def faults(pipeline: Pipeline, processes: int) -> list[Fault]:
    """List what of a pipeline does not go with so many processes."""
    found = [(key, fault) for key, rule in RULES.items() if (fault := rule(pipeline))]
    if not found and pipeline.method.students < processes:
        students = pipeline.method.students
        message = f"{students} students with a sub-set each are too few for {processes} processes; start at most"
        found = [("method.students", f"{message} {students}")]
    return found


def refuse_undivided(pipeline: Pipeline, groups: int, processes: int) -> None:
    """Make sure that every process has something to do, and that nothing needs one process alone.

    Args:
        pipeline: what is run.
        groups: into how many data groups its training part is divided.
        processes: how many there are.

    Raises:
        InputError: it does not.
    """
    found = faults(pipeline, processes)
    if not found and groups < processes:
        message = f"{groups} data groups are too few for {processes} processes; start at most {groups}"
        found = [("method.subsets", message)]
    if found:
        key, message = found[0]
        raise InputError(message, key=key)


def reduction_of(pipeline: Pipeline, device: str, processes: int) -> Literal["ordered", "fast"]:
    """Return how the gradients of a run are added up: ``run.reduce``, or what suits its device.

    On a CPU ``ordered`` costs little beside the arithmetic, and a run of several processes can go on with any other
    number of them. On GPUs, which promise no bits anyway, it would send more than the gradients are worth.

    Args:
        pipeline: what is run.
        device: type of the device.
        processes: how many there are; one adds up in the order of the groups only if it is asked to.
    """
    if pipeline.run.reduce is not None:
        return pipeline.run.reduce
    return "ordered" if processes > 1 and device == "cpu" else "fast"
