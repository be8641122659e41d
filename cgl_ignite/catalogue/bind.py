"""From a document to a pipeline whose values are right, each alone and all together."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cgl_ignite.analysis.paper import pieces
from cgl_ignite.catalogue.draft import Contradiction, modality_of
from cgl_ignite.catalogue.registries import REGISTRIES
from cgl_ignite.catalogue.rules import contradictions
from cgl_ignite.config.dump import fingerprint
from cgl_ignite.config.load import Document, dotted_keys, load_document, merge
from cgl_ignite.config.presets import METHODS, preset
from cgl_ignite.config.rows import Plan, Row, filed, read_plan
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.config.specialise import specialise
from cgl_ignite.config.validate import Checked
from cgl_ignite.config.variants import entries, faults, lost_changes, renamed, variant, without_comparison
from cgl_ignite.data import DATASETS, SUBSETS
from cgl_ignite.errors import ConfigError, InputError, Problem, choices, nearest
from cgl_ignite.plugins import import_plugin

__all__ = ["BoundPlan", "bind", "bind_methods", "bind_rows", "effective", "import_plugins", "load_pipeline"]

Fault = tuple[str, str]


def load_pipeline(source: str | os.PathLike[str] | Mapping[str, Any], overrides: Sequence[str] = ()) -> Pipeline:
    """Read a pipeline with its ``key=value`` overrides and check all of it.

    Args:
        source: a pipeline file, or the tables of one as a mapping.
        overrides: what ``--set`` takes on the command line.

    Raises:
        ConfigError: everything that is wrong, together.
    """
    return bind(load_document(source, overrides))


def bind(document: Document) -> Pipeline:
    """Check a document against the registered parts and return the pipeline it describes.

    What a comparison changes, by methods, variants and axes, is checked with it, and is no part of the pipeline.

    Raises:
        ConfigError: everything that is wrong, together, in the order of the file.
    """
    problems = [*import_plugins(document), *faults(document)]
    pipeline, found = _bound(without_comparison(document))
    problems += found
    for name in entries(document):
        own = (renamed(problem, document, name) for problem in _bound(variant(document, name))[1])
        problems += [problem for problem in own if problem is not None]
    if document.tree.keys() & {"compare", "sweep", "variants"}:
        problems += _bound_plan(document, None)[1]
    return _sound(pipeline, problems)


@dataclass(frozen=True)
class BoundPlan:
    """What a document compares: its plan, and the pipeline of each row."""

    plan: Plan
    pipelines: Mapping[str, Pipeline]


def bind_rows(document: Document, methods: Sequence[str] | None = None) -> BoundPlan:
    """Return the rows that a document compares, each with its pipeline; ``methods`` in the place of ``[compare]``.

    Raises:
        ConfigError: everything that is wrong, together, in the order of the file.
    """
    problems = [*import_plugins(document), *faults(document)]
    bound, found = _bound_plan(document, methods)
    if any(row.place.method for row in bound.plan.rows.values()):
        problems += lost_changes(document)
    if problems := [*problems, *found]:
        raise ConfigError(sorted(dict.fromkeys(problems), key=_position))
    return bound


def bind_methods(document: Document, names: Sequence[str]) -> dict[str, Pipeline]:
    """Return one pipeline for each method that is to be compared, equal in all but the method.

    Raises:
        ConfigError: everything that is wrong, together, in the order of the file.
    """
    problems = [*import_plugins(document), *faults(document), *lost_changes(document)]
    bound = {name: _bound(variant(document, name)) for name in names}
    problems += [renamed(fault, document, name) or fault for name, (_, found) in bound.items() for fault in found]
    return {name: _sound(pipeline, problems) for name, (pipeline, _) in bound.items()}


def _bound_plan(document: Document, methods: Sequence[str] | None) -> tuple[BoundPlan, list[Problem]]:
    plan, problems = read_plan(document, methods)
    known = {*METHODS, *entries(document)}
    if unknown := [name for name in plan.table.methods if name not in known]:
        message = f"there is no method {unknown[0]!r}{nearest(unknown[0], known)}"
        problems.append(Problem(document.where("compare.methods"), "compare.methods", message))
    if plan.table.paper not in (None, *pieces()):
        message = f"must be {choices(pieces())}, not {plan.table.paper!r}"
        problems.append(Problem(document.where("compare.paper"), "compare.paper", message))
    if problems:
        return BoundPlan(plan, {}), problems
    found = {name: _bound(row.document) for name, row in plan.rows.items()}
    problems = _of_rows(document, plan, {name: faults for name, (_, faults) in found.items()})
    pipelines = {name: pipeline for name, (pipeline, _) in found.items() if pipeline is not None}
    return BoundPlan(plan, pipelines), problems or list(_unchanged(document, plan, pipelines))


def _of_rows(document: Document, plan: Plan, found: Mapping[str, Sequence[Problem]]) -> list[Problem]:
    """File the problems of all rows once each; what only some methods have is told with their names."""
    methods: dict[Problem, dict[str, None]] = {}
    for name, problems in found.items():
        row = plan.rows[name]
        for problem in problems:
            methods.setdefault(filed(problem, row, document), {})[row.place.method] = None
    return [
        problem
        if names.keys() >= _concerned(problem, plan)
        else Problem(problem.where, problem.key, f"{problem.message} (with {', '.join(names)})")
        for problem, names in methods.items()
    ]


def _concerned(problem: Problem, plan: Plan) -> set[str]:
    """Name the methods of all rows that a key of a variant or an axis changes."""
    rows = plan.rows.values()
    return {row.place.method for row in rows if any(problem.key.startswith(key) for key in row.written.values())}


def _unchanged(document: Document, plan: Plan, pipelines: Mapping[str, Pipeline]) -> Iterator[Problem]:
    """Find rows that would give the same runs as an earlier one."""
    seen: dict[str, Row] = {}
    told: set[str] = set()
    for name, pipeline in pipelines.items():
        row = plan.rows[name]
        first = seen.setdefault(fingerprint(pipeline), row)
        if first is row:
            continue
        place, other = row.place, first.place
        key = f"methods.{place.method}"
        if place.variant != other.variant:
            key = f"variants.{place.variant}"
        elif differing := [axis for axis in plan.axes if place.points.get(axis.name) != other.points.get(axis.name)]:
            key = differing[0].written
        if key not in told:
            told.add(key)
            yield Problem(
                document.where(key), key, f"changes no result: the row {name!r} is the same as {first.name!r}"
            )


def _bound(document: Document) -> tuple[Pipeline | None, list[Problem]]:
    full = effective(document)
    checked = Checked(specialise(Pipeline, full.tree, REGISTRIES), full)
    problems = list(checked.problems)
    problems += [Problem(document.where(key), key, message) for key, message in _preset_faults(document)]
    problems += [_placed(one, document, full) for one in contradictions(checked)]
    return checked.value, problems


def _sound(pipeline: Pipeline | None, problems: Sequence[Problem]) -> Pipeline:
    if problems or pipeline is None:
        raise ConfigError(sorted(dict.fromkeys(problems), key=_position))
    return pipeline


def effective(document: Document) -> Document:
    """Lay a document over the preset it names, and call a nameless pipeline after its file.

    The preset's task is the modality of the data set. For a preset that does not exist the most similar one
    stands in, so that the rest of the document can be judged.
    """
    method = document.tree.get("method")
    name = str(method.get("preset", "")) if isinstance(method, dict) else ""
    known = name if name in METHODS else difflib.get_close_matches(name, METHODS, n=1, cutoff=0)[0]
    tree = {"name": document.name, "method": preset(known, _task(document))}
    origins = dict.fromkeys(dotted_keys({"method": tree["method"]}), f"preset {known}")
    full = merge(Document(tree, {"name": "the name of the file"} | origins, document.path), document)
    return _stratified(full)


def _stratified(document: Document) -> Document:
    """Let sub-sets keep the shares of the classes where the data set asks for it and the document says nothing."""
    data, method = document.tree.get("data"), document.tree["method"]
    kind = data.get("kind") if isinstance(data, dict) else None
    subsets = method.get("subsets") if isinstance(method, dict) else None
    if not isinstance(kind, str) or kind not in DATASETS or not DATASETS.facts(kind).get("stratified"):
        return document
    if not isinstance(subsets, dict) or "stratified" in subsets:
        return document
    divides = subsets.get("kind")
    if not isinstance(divides, str) or divides not in SUBSETS or "stratified" not in SUBSETS.options(divides):
        return document
    added = {"method": {"subsets": {"stratified": True}}}
    return merge(document, Document(added, {"method.subsets.stratified": f"data set {kind}"}, document.path))


def _task(document: Document) -> str:
    data = document.tree.get("data")
    kind = data.get("kind") if isinstance(data, dict) else None
    return modality_of(DATASETS, kind) if isinstance(kind, str) and kind in DATASETS else "image"


def _preset_faults(document: Document) -> Iterator[Fault]:
    method = document.tree.get("method", {})
    if not isinstance(method, dict):
        return
    if "preset" not in method:
        yield "method.preset", f"is missing; it must be {choices(METHODS)}"
    elif isinstance(name := method["preset"], str) and name not in METHODS:
        yield "method.preset", f"must be {choices(METHODS)}, not {name!r}{nearest(name, METHODS)}"


def import_plugins(document: Document) -> list[Problem]:
    """Import the modules that register the user's own parts; return what is wrong with them."""
    plugins = document.tree.get("plugins")
    names = [name for name in plugins if isinstance(name, str)] if isinstance(plugins, list) else []
    faults_of_plugins = [_plugin_fault(name, document.path.parent.absolute()) for name in names]
    return [Problem(document.where("plugins"), "plugins", fault) for fault in faults_of_plugins if fault]


def _plugin_fault(name: str, folder: Path) -> str:
    try:
        import_plugin(name, folder)
    except InputError as error:
        return str(error)
    return ""


def _placed(found: Contradiction, document: Document, full: Document) -> Problem:
    """File a contradiction under the first of its keys that the user wrote."""
    key = next((key for key in found.keys if key in document.origins), found.keys[0])
    return Problem(full.where(key), key, found.message, found.example)


def _position(problem: Problem) -> tuple[bool, str, int]:
    place = re.fullmatch(r"(.*):(\d+)", problem.where)
    return (False, place[1], int(place[2])) if place else (True, problem.where, 0)
