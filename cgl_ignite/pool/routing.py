"""Random routing and its relatives: which module of each layer every student runs (Eq. 1)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from cgl_ignite.config.schema import MOST_STUDENTS
from cgl_ignite.errors import InputError
from cgl_ignite.registry import Registry
from cgl_ignite.seeding import stream

__all__ = [
    "PATHS",
    "ROUTINGS",
    "Routing",
    "add_classifier",
    "branched",
    "disjoint",
    "fixed",
    "follow",
    "random",
    "share_first",
    "trunk_of",
]

Count = Annotated[int, Field(ge=1, le=MOST_STUDENTS)]
Index = Annotated[int, Field(ge=0, lt=MOST_STUDENTS)]

PATHS = "paths.json"
"""The file of a run that holds its (K, L) table."""


@dataclass(frozen=True)
class Routing:
    """How paths are made: the number of modules in each of the L layers, and the draw of the (K, L) table.

    ``paths[k, l]`` is the module of layer l that student k runs, so each row of Eq. 1 has exactly one 1. ``sharing``
    makes the routing whose first layers have one module each, where its own rule is needed for that.
    """

    modules: tuple[int, ...]
    sample: Callable[[torch.Generator], Tensor]
    sharing: Callable[[int], Routing] | None = None


ROUTINGS: Registry[Callable[..., Routing]] = Registry("routing")
"""Builders given the number of students and how many layers each stage of the backbone has."""


@ROUTINGS.register("random")
def random(
    students: int,
    stages: Sequence[int],
    *,
    modules: Count = 2,
    shared: tuple[Index, ...] = (),
    distinct: bool = True,
    seed: Index | None = None,
) -> Routing:
    """Draw every module uniformly from the M of its layer (random routing, Eq. 1).

    Args:
        modules: M, the number of modules in a layer.
        shared: layers, counted from 0, that hold a single module for all students.
        distinct: draw the paths without replacement, so that no two students are the same network.
        seed: of the paths, so that runs of all seeds have the same ones; None: that of the run.

    Raises:
        InputError: more students than distinct paths, or a shared layer that is not there.
    """
    layers = sum(stages)
    if outside := [layer for layer in shared if layer >= layers]:
        raise InputError(f"shared layers {outside} are outside the {layers} layers 0 to {layers - 1}")
    counts = tuple(1 if layer in shared else modules for layer in range(layers))
    existing = prod(counts)
    if distinct and students > existing:
        raise InputError(
            f"{students} students need distinct paths, but {layers} layers of up to {modules} modules give only"
            f" {existing}; fewer students, more modules, or distinct = false"
        )

    def sample(generator: torch.Generator) -> Tensor:
        generator = generator if seed is None else stream(seed, "paths")
        high = torch.tensor(counts)
        rows: dict[tuple[int, ...], None] = {}
        table: list[tuple[int, ...]] = []
        while len(table) < students:
            row = tuple((torch.rand(layers, generator=generator, dtype=torch.float64) * high).long().tolist())
            if not distinct or row not in rows:
                table.append(row)
            rows[row] = None
        return torch.tensor(table)

    def sharing(first: int) -> Routing:
        both = tuple(sorted({*shared, *range(first)}))
        return random(students, stages, modules=modules, shared=both, distinct=distinct, seed=seed)

    return Routing(counts, sample, sharing)


@ROUTINGS.register("branched")
def branched(students: int, stages: Sequence[int], *, at: Index | None = None) -> Routing:
    """Share the layers before ``at`` and give each student its own modules from there on.

    Args:
        at: the first layer of the branches, counted from 0; None means the first of the backbone's last stage, as in
            the code of ONE (Lan et al. 2018).

    Raises:
        InputError: a branch point beyond the last layer.
    """
    layers = sum(stages)
    at = layers - stages[-1] if at is None else at
    if at >= layers:
        raise InputError(f"at = {at} is beyond the last layer (0 to {layers - 1})")
    own = torch.arange(students).unsqueeze(1)
    table = torch.cat([torch.zeros(students, at, dtype=torch.int64), own.expand(-1, layers - at)], dim=1)
    return Routing((1,) * at + (students,) * (layers - at), lambda _: table)


@ROUTINGS.register("disjoint")
def disjoint(students: int, stages: Sequence[int]) -> Routing:
    """Share nothing: every student is a network of its own."""
    return branched(students, stages, at=0)


@ROUTINGS.register("fixed")
def fixed(
    students: int, stages: Sequence[int], *, table: list[list[Index]] | None = None, from_: str = "", run: str = ""
) -> Routing:
    """Use a given (K, L) table.

    Args:
        table: the paths, one row for each student.
        from_: the folder of an earlier run, whose paths are used instead.
        run: the former name of ``from``, which records of older versions still have; it must be empty.

    Raises:
        InputError: neither or both of table and from, the former name, no such run, or a table whose shape is not
            (students, layers).
    """
    layers = sum(stages)
    if run:
        raise InputError(f"'run' is called 'from' now: from = {run!r}")
    if (table is None) == (not from_):
        raise InputError("needs one of 'table' and 'from'")
    rows = _paths_of(Path(from_), layers) if table is None else table
    if len(rows) != students or any(len(row) != layers for row in rows):
        shape = f"{len(rows)} rows of {'/'.join(map(str, sorted({len(row) for row in rows})))} entries"
        raise InputError(f"table needs {students} rows (students) of {layers} entries (layers), not {shape}")
    paths = torch.tensor(rows)
    return Routing(tuple((paths.amax(dim=0) + 1).tolist()), lambda _: paths)


def _paths_of(run: Path, layers: int) -> list[list[int]]:
    """Read the paths of a run, without a column for the classifier."""
    file = run.expanduser() / "artifacts" / PATHS
    try:
        return [[int(module) for module in row[:layers]] for row in json.loads(file.read_text("utf-8"))]
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"from = {str(run)!r} is no folder of a run with its paths ({file}: {error})") from error


def share_first(routing: Routing, layers: int) -> Routing:
    """Let the first layers have one module each, which all students run.

    Raises:
        InputError: no layer is left with several modules where there were some, or too few paths.
    """
    if layers == 0 or set(routing.modules[:layers]) == {1}:
        return routing
    if layers >= len(routing.modules):
        raise InputError(f"{layers} of {len(routing.modules)} layers are shared, which leaves none to differ in")
    if routing.sharing is not None:
        return routing.sharing(layers)

    def sample(generator: torch.Generator) -> Tensor:
        table = routing.sample(generator).clone()
        table[:, :layers] = 0
        return table

    return Routing((*(1,) * layers, *routing.modules[layers:]), sample)


def add_classifier(routing: Routing, students: int, reading: Literal["module", "student", "shared"]) -> Routing:
    """Place the classifier: one for each module of the last layer, one per student, or one for all.

    ``module`` leaves the table as it is (the classifier follows the last module, see :func:`follow`); the other
    readings append one column.
    """
    columns: dict[str, Tensor] = {
        "student": torch.arange(students).unsqueeze(1),
        "shared": torch.zeros(students, 1, dtype=torch.int64),
    }
    if reading not in columns:
        return routing
    column = columns[reading]

    def sample(generator: torch.Generator) -> Tensor:
        return torch.cat([routing.sample(generator), column], dim=1)

    return Routing((*routing.modules, int(column.amax()) + 1), sample)


def follow(row: Sequence[int], layers: int) -> list[int]:
    """Extend a row to this many layers: a classifier without a column of its own belongs to the last module.

    Example:
        >>> follow([0, 1, 1], 4)
        [0, 1, 1, 1]
    """
    return [*row, *[row[-1]] * (layers - len(row))]


def trunk_of(modules: Sequence[int]) -> int:
    """Count the layers, from the first on, that hold a single module which all students run.

    Example:
        >>> trunk_of([1, 1, 3, 1])
        2
    """
    return next((layer for layer, count in enumerate(modules) if count > 1), len(modules))
