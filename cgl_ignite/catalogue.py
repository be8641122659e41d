"""All registered parts by name, and pipelines checked against them before anything is read or built."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from cgl_ignite.backbones import BACKBONES, channel_means
from cgl_ignite.config.load import Document, dotted_keys, load_document, merge
from cgl_ignite.config.presets import METHODS, preset
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.config.specialise import Registries, specialise
from cgl_ignite.config.validate import Checked, NotValid
from cgl_ignite.config.variants import entries, faults, lost_changes, renamed, variant, without_methods
from cgl_ignite.data import AUGMENTATIONS, DATASETS, ENCODINGS, SUBSETS, input_of, look_at, rows_held_out
from cgl_ignite.engine.optim import OPTIMIZERS
from cgl_ignite.errors import ConfigError, InputError, Problem, choices, nearest
from cgl_ignite.handlers.schedule import SCHEDULES
from cgl_ignite.handlers.selection import SELECTIONS
from cgl_ignite.imitation import CHOICES, WEIGHINGS, View
from cgl_ignite.metrics import METRICS
from cgl_ignite.plugins import import_plugin
from cgl_ignite.pool import ROUTINGS, trunk_of
from cgl_ignite.registry import Registry
from cgl_ignite.spec import InputSpec

__all__ = ["REGISTRIES", "bind", "bind_methods", "effective", "load_pipeline"]

REGISTRIES: Registries = {
    "dataset": DATASETS,
    "encoding": ENCODINGS,
    "augmentation": AUGMENTATIONS,
    "subsets": SUBSETS,
    "backbone": BACKBONES,
    "routing": ROUTINGS,
    "choice": CHOICES,
    "weighing": WEIGHINGS,
    "selection": SELECTIONS,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "metric": METRICS,
}

Fault = tuple[str, str]
Contradiction = tuple[tuple[str, ...], str]


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
    problems = [*_import_plugins(document), *faults(document)]
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
    problems = [*_import_plugins(document), *faults(document), *lost_changes(document)]
    bound = {name: _bound(variant(document, name)) for name in names}
    problems += [renamed(fault, document, name) or fault for name, (_, found) in bound.items() for fault in found]
    return {name: _sound(pipeline, problems) for name, (pipeline, _) in bound.items()}


def _bound(document: Document) -> tuple[Pipeline | None, list[Problem]]:
    full = effective(document)
    checked = Checked(specialise(Pipeline, full.tree, REGISTRIES), full)
    problems = list(checked.problems)
    problems += [Problem(document.where(key), key, message) for key, message in _preset_faults(document)]
    problems += [_placed(keys, message, document, full) for keys, message in _contradictions(checked)]
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
    return _modality_of(DATASETS, kind) if isinstance(kind, str) and kind in DATASETS else "image"


def _modality_of(registry: Registry[Any], kind: str) -> str:
    return str(registry.facts(kind).get("modality", "image"))


def _preset_faults(document: Document) -> Iterator[Fault]:
    method = document.tree.get("method", {})
    if not isinstance(method, dict):
        return
    if "preset" not in method:
        yield "method.preset", f"is missing; it must be {choices(METHODS)}"
    elif isinstance(name := method["preset"], str) and name not in METHODS:
        yield "method.preset", f"must be {choices(METHODS)}, not {name!r}{nearest(name, METHODS)}"


def _import_plugins(document: Document) -> Iterator[Problem]:
    """Import the modules that register the user's own parts."""
    plugins = document.tree.get("plugins")
    names = [name for name in plugins if isinstance(name, str)] if isinstance(plugins, list) else []
    faults_of_plugins = (_plugin_fault(name, document.path.parent.absolute()) for name in names)
    yield from (Problem(document.where("plugins"), "plugins", fault) for fault in faults_of_plugins if fault)


def _plugin_fault(name: str, folder: Path) -> str:
    try:
        import_plugin(name, folder)
    except InputError as error:
        return str(error)
    return ""


def _placed(keys: Sequence[str], message: str, document: Document, full: Document) -> Problem:
    """File a contradiction under the first of its keys that the user wrote."""
    key = next((key for key in keys if key in document.origins), keys[0])
    return Problem(full.where(key), key, message)


def _contradictions(checked: Checked[Pipeline]) -> Iterator[Contradiction]:
    """Find values that are allowed each for itself and do not go together."""
    early = (_modalities, _routing, _imitation, _weighing, _turns)
    for rule in (*early, _selection, _augmentation, _optimization, _holdout, _rows):
        with suppress(NotValid):
            yield from rule(checked.get)


def _modalities(get: Callable[..., Any]) -> Iterator[Contradiction]:
    held, read = _modality_of(DATASETS, get("data", "kind")), _modality_of(BACKBONES, get("backbone", "kind"))
    if held != read:
        fitting = choices(kind for kind in BACKBONES.kinds() if _modality_of(BACKBONES, kind) == held)
        yield ("backbone.kind",), f"reads {read}, but the data set holds {held}; backbones for it: {fitting}"
    makes = _modality_of(ENCODINGS, kind := get("data", "encoding", "kind"))
    if held != makes:
        fitting = choices(kind for kind in ENCODINGS.kinds() if _modality_of(ENCODINGS, kind) == held)
        yield ("data.encoding", "data.kind"), f"{kind!r} is for {makes}, but the data set holds {held}: take {fitting}"


def _input(get: Callable[..., Any]) -> tuple[InputSpec, int, bool]:
    """Tell the input from the options that are sound; files are not looked at."""
    kind, options = get("data", "kind"), {}
    for name in DATASETS.options(kind):
        with suppress(NotValid):
            options[name] = get("data", name)
    return input_of(kind, get("data", "encoding"), look_at(kind, options, files=False))


def _routing(get: Callable[..., Any]) -> Iterator[Contradiction]:
    routing, students, backbone = get("method", "routing"), get("method", "students"), get("backbone")
    if any(_modalities(get)):
        return
    spec, classes, _ = _input(get)
    try:
        stages = BACKBONES.build(backbone, spec, classes).stages
    except (InputError, ValueError) as error:
        yield ("backbone",), str(error)
        return
    yield from _trial("routing", ("method.routing", "method.students"), routing, students, stages)


def _imitation(get: Callable[..., Any]) -> Iterator[Contradiction]:
    choice, students = get("method", "choose"), get("method", "students")
    yield from _trial("choice", ("method.choose", "method.students"), choice, students)


def _weighing(get: Callable[..., Any]) -> Iterator[Contradiction]:
    keys = ("weigh", "routing", "students", "loss", "choose")
    weigh, routing, students, loss, choose = (get("method", key) for key in keys)
    if any(_modalities(get)) or any(_routing(get)) or any(_imitation(get)):
        return
    spec, classes, _ = _input(get)
    stages = BACKBONES.build(get("backbone"), spec, classes).stages
    trunk, choice = trunk_of(ROUTINGS.build(routing, students, stages).modules), CHOICES.build(choose, students)
    view = View(channel_means, trunk=1 if trunk else None, features=1)
    yield from _trial("weighing", ("method.weigh", "method.routing"), weigh, students, choice, view)
    if WEIGHINGS.facts(weigh.kind)["learned"] and loss.teacher_gradient == "stopped" and not loss.teacher_label_weight:
        fault = f"'stopped' leaves the weights of {weigh.kind!r} untrained; take 'weights' or 'flows'"
        yield ("method.loss.teacher_gradient", "method.weigh"), fault


def _turns(get: Callable[..., Any]) -> Iterator[Contradiction]:
    if get("method", "update") == "together":
        return
    if WEIGHINGS.facts(get("method", "weigh").kind)["learned"] or get("method", "loss").teacher_label_weight:
        fault = "'in turn' trains no weights of imitation and no teacher of all students; take 'together'"
        yield ("method.update", "method.weigh", "method.loss.teacher_label_weight"), fault
    if get("run", "graphs"):
        yield ("run.graphs", "method.update"), "only an update 'together' is replayed; leave it out, or take 'together'"


def _selection(get: Callable[..., Any]) -> Iterator[Contradiction]:
    selection, students = get("method", "selection"), get("method", "students")
    yield from _trial("selection", ("method.selection", "method.students"), selection, students, 0)


def _augmentation(get: Callable[..., Any]) -> Iterator[Contradiction]:
    spec, _, _ = _input(get)
    yield from _trial("augmentation", ("data.augment",), get("data", "augment"), spec)


def _optimization(get: Callable[..., Any]) -> Iterator[Contradiction]:
    optim, epochs = get("optim"), get("run", "epochs")
    weight = torch.nn.Parameter(torch.zeros(1))
    yield from _trial("optimizer", ("optim",), optim, [weight], optim.learning_rate)
    yield from _trial("schedule", ("optim.schedule", "run.epochs"), optim.schedule, epochs)


def _holdout(get: Callable[..., Any]) -> Iterator[Contradiction]:
    if get("data", "holdout") is None and not DATASETS.facts(get("data", "kind")).get("own_holdout"):
        yield ("data.holdout",), "is missing; it must be a number of rows, or a share of them between 0 and 1"


def _rows(get: Callable[..., Any]) -> Iterator[Contradiction]:
    """Judge the row counts where they are certain: a limit, or a data set without files to read."""
    limit, holdout, facts = get("data", "limit"), get("data", "holdout"), DATASETS.facts(get("data", "kind"))
    certain = facts["rows"][0] if facts.get("rows") and not facts.get("files") else None
    rows = min((count for count in (limit, certain) if count is not None), default=None)
    if holdout is None or rows is None:
        return
    try:
        held_out = rows_held_out(holdout, rows)
    except InputError:
        yield ("data.holdout",), f"takes {holdout} of {rows} rows and leaves none to learn from"
        return
    targets = torch.zeros(rows - held_out, dtype=torch.int64)
    subsets, students = get("method", "subsets"), get("method", "students")
    yield from _trial("subsets", ("method.subsets", "method.students"), subsets, targets, students, 0)


def _trial(what: str, keys: tuple[str, ...], part: Any, *given: Any) -> Iterator[Contradiction]:
    """Build a part for its complaint only; one that names the key itself is filed under that key."""
    try:
        REGISTRIES[what].build(part, *given)
    except (InputError, ValueError) as error:
        named = re.match(r"((?:data|method|optim|run)\.[\w.]+):? (?:= )?(.*)", str(error), re.DOTALL)
        yield ((named[1],), named[2]) if named else (keys, str(error))


def _position(problem: Problem) -> tuple[bool, str, int]:
    place = re.fullmatch(r"(.*):(\d+)", problem.where)
    return (False, place[1], int(place[2])) if place else (True, problem.where, 0)
