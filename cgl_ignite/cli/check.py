"""``cgl check``: everything that is wrong with pipeline files, without data and without a GPU."""

from __future__ import annotations

import click

from cgl_ignite.errors import ConfigError, Problem

__all__ = ["check"]


@click.command()
@click.argument("pipelines", metavar="PIPELINE...", nargs=-1, required=True, type=click.Path())
@click.option("--set", "overrides", metavar="KEY=VALUE", multiple=True, help="Change a value, in all files.")
def check(pipelines: tuple[str, ...], overrides: tuple[str, ...]) -> None:
    """Report everything that is wrong with pipeline files, all at once.

    Needs no data and no GPU. Exit code 2 if anything is wrong.
    """
    problems = [problem for path in pipelines for problem in _problems(path, overrides)]
    if problems:
        raise ConfigError(dict.fromkeys(problems))
    for path in pipelines:
        click.echo(f"{path}: ok")


def _problems(path: str, overrides: tuple[str, ...]) -> tuple[Problem, ...]:
    from cgl_ignite.catalogue import load_pipeline

    try:
        load_pipeline(path, overrides)
    except ConfigError as error:
        return error.problems
    return ()
