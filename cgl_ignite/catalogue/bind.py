"""From a document to a pipeline whose values are right, each alone and all together."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cgl_ignite.catalogue.registries import REGISTRIES
from cgl_ignite.catalogue.rules import Contradiction, contradictions, modality_of
from cgl_ignite.config.load import Document, dotted_keys, load_document, merge
from cgl_ignite.config.presets import METHODS, preset
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.config.specialise import specialise
from cgl_ignite.config.validate import Checked
from cgl_ignite.config.variants import entries, faults, lost_changes, renamed, variant, without_methods
from cgl_ignite.data import DATASETS
from cgl_ignite.errors import ConfigError, InputError, Problem, choices, nearest
from cgl_ignite.plugins import import_plugin

__all__ = ["bind", "bind_methods", "effective", "import_plugins", "load_pipeline"]

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

    What ``[methods.NAME]`` changes for a comparison is checked with it, and is no part of the pipeline.

    Raises:
        ConfigError: everything that is wrong, together, in the order of the file.
    """
    problems = [*import_plugins(document), *faults(document)]
    pipeline, found = _bound(without_methods(document))
    problems += found
    for name in entries(document):
        own = (renamed(problem, document, name) for problem in _bound(variant(document, name))[1])
        problems += [problem for problem in own if problem is not None]
    return _sound(pipeline, problems)


def bind_methods(document: Document, names: Sequence[str]) -> dict[str, Pipeline]:
    """Return one pipeline for each method that is to be compared, equal in all but the method.

    Raises:
        ConfigError: everything that is wrong, together, in the order of the file.
    """
    problems = [*import_plugins(document), *faults(document), *lost_changes(document)]
    bound = {name: _bound(variant(document, name)) for name in names}
    problems += [renamed(fault, document, name) or fault for name, (_, found) in bound.items() for fault in found]
    return {name: _sound(pipeline, problems) for name, (pipeline, _) in bound.items()}


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
    return merge(Document(tree, {"name": "the name of the file"} | origins, document.path), document)


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
    return Problem(full.where(key), key, found.message)


def _position(problem: Problem) -> tuple[bool, str, int]:
    place = re.fullmatch(r"(.*):(\d+)", problem.where)
    return (False, place[1], int(place[2])) if place else (True, problem.where, 0)
