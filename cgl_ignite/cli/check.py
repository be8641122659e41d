"""``cgl check``: everything that is wrong with pipeline files, without a GPU, and with the data if asked to."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cgl_ignite.cli.options import json_option
from cgl_ignite.errors import ConfigError, InputError, Problem, escaped

if TYPE_CHECKING:
    from cgl_ignite.config.schema import Pipeline
    from cgl_ignite.data import DataReport

__all__ = ["check"]

T = TypeVar("T")


@click.command()
@click.argument("pipelines", metavar="PIPELINE...", nargs=-1, required=True, type=click.Path())
@click.option("--set", "overrides", metavar="KEY=VALUE", multiple=True, help="Change a value, in all files.")
@click.option("--data", "with_data", is_flag=True, help="Read the data as well, as a run would, and report them.")
@click.option("--processes", metavar="N", type=click.IntRange(min=1), default=1, help="Also check that N can share it.")
@json_option
def check(
    pipelines: tuple[str, ...], overrides: tuple[str, ...], with_data: bool, processes: int, as_json: bool
) -> None:
    """Report everything that is wrong with pipeline files, all at once.

    Needs no GPU, and no data unless --data is given. Exit code 2 if anything is wrong.
    """
    settings = _load(pipelines, overrides, processes)
    from cgl_ignite.cli.output import say
    from cgl_ignite.pretrained import weights_to_fetch

    missing = {path: weights_to_fetch(pipeline.backbone) for path, pipeline in settings.items()}
    reports = _read(settings) if with_data else {}
    if as_json:
        click.echo(json.dumps({path: _tree(reports.get(path), missing[path]) for path in settings}))
        return
    for path in settings:
        say(f"{escaped(path)}: ok")
        if missing[path]:
            say(f"  {escaped(missing[path])} is not on this machine: cgl run fetches it")
        if path in reports:
            _show(reports[path])


def _load(paths: tuple[str, ...], overrides: tuple[str, ...], processes: int) -> dict[str, Pipeline]:
    """Load all pipelines.

    Raises:
        ConfigError: everything that is wrong with any of them.
    """
    loaded = {path: _tried(partial(_sound, path, overrides, processes)) for path in paths}
    problems = [problem for error in loaded.values() if isinstance(error, ConfigError) for problem in error.problems]
    if problems:
        raise ConfigError(dict.fromkeys(problems))
    return {path: pipeline for path, pipeline in loaded.items() if not isinstance(pipeline, InputError)}


def _sound(path: str, overrides: tuple[str, ...], processes: int) -> Pipeline:
    """Load a pipeline and all that it compares, also as ``[small]`` says; so many processes must be able to train it.

    If it has plugins, its layers are run once, which takes a second or two. Weights that it begins with are read. Its
    database must not be on another machine.

    Raises:
        ConfigError: everything that is wrong with it.
    """
    from cgl_ignite.catalogue import bind, try_layers, try_weights
    from cgl_ignite.config.load import load_document
    from cgl_ignite.distributed.limits import faults
    from cgl_ignite.tracking import locate, refuse_remote_database

    document = load_document(path, overrides)
    pipeline = bind(document)
    if processes > 1 and (undivided := faults(pipeline, processes)):
        raise ConfigError([Problem(document.where(key), key, message) for key, message in undivided])
    if "small" in document.tree:
        bind(load_document(path, overrides, small=True))
    try:
        refuse_remote_database(locate(pipeline.tracking.folder, pipeline.tracking.uri))
        if pipeline.plugins:
            try_layers(pipeline)
        try_weights(pipeline)
    except InputError as error:
        where = document.where("backbone.kind" if error.key in ("", None, "backbone") else error.key)
        raise ConfigError([Problem(where, error.key or "backbone", error.message, error.example)]) from error
    return pipeline


def _read(settings: dict[str, Pipeline]) -> dict[str, DataReport]:
    """Read the data of all pipelines.

    Raises:
        InputError: what is wrong with the data of any of them.
    """
    from cgl_ignite.cli.reading import reading
    from cgl_ignite.pipeline.data import read_data

    def report(pipeline: Pipeline) -> DataReport:
        return read_data(pipeline).report(pipeline.seeds[0])

    with reading(quiet=False):
        found = {path: _tried(partial(report, pipeline)) for path, pipeline in settings.items()}
    faults = [f"{escaped(path)}: {error}" for path, error in found.items() if isinstance(error, InputError)]
    if faults:
        raise InputError("\n".join(faults))
    return {path: one for path, one in found.items() if not isinstance(one, InputError)}


def _tried(work: Callable[[], T]) -> T | InputError:
    try:
        return work()
    except InputError as error:
        return error


def _show(report: DataReport) -> None:
    from cgl_ignite.cli.output import SafeConsole
    from cgl_ignite.cli.report import show_data

    show_data(report, SafeConsole(highlight=False))


def _tree(report: DataReport | None, missing: str | None) -> dict[str, Any]:
    found = {} if report is None else {"data": report.tree()}
    return found if missing is None else {**found, "weights_to_fetch": missing}
