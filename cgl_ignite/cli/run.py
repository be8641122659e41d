"""``cgl run``: train the students of a pipeline and hand over the selected one."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from cgl_ignite.cli.options import json_option
from cgl_ignite.errors import Interrupted

if TYPE_CHECKING:
    from cgl_ignite.comparison.against import Outcome
    from cgl_ignite.display import Screen
    from cgl_ignite.pipeline import RunResult

__all__ = ["run"]


@click.command()
@click.argument("pipeline", type=click.Path())
@click.option("--set", "overrides", metavar="KEY=VALUE", multiple=True, help="Change a value of the pipeline.")
@click.option("--seed", "seeds", metavar="N", multiple=True, type=click.IntRange(min=0), help="Seed; may be repeated.")
@click.option("--resume", is_flag=True, help="Go on with the newest unfinished run of this pipeline and seed.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Where to train.")
@click.option("--against", metavar="METHOD", help="Then train this method, too, at the same cost, and compare.")
@click.option("--register", metavar="NAME", help="Make the selected student a version of this model in MLflow.")
@json_option
@click.option("--quiet", is_flag=True, help="Show no progress.")
def run(
    pipeline: str,
    overrides: tuple[str, ...],
    seeds: tuple[int, ...],
    resume: bool,
    device: str | None,
    against: str | None,
    register: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Train the students of a pipeline together and test the selected one.

    Prints the file of the selected student, or with --json everything about it.
    """
    from cgl_ignite.cli.output import say
    from cgl_ignite.cli.reading import reading
    from cgl_ignite.cli.render import make_screen

    changes = [*overrides, *([f"seeds={list(seeds)}"] if seeds else []), *([f"run.device={device}"] if device else [])]
    try:
        with reading(quiet=quiet):
            screen = make_screen(quiet=quiet)
            results, compared = _train(pipeline, changes, against, resume=resume, screen=screen, register=register)
    except Interrupted as error:
        options = [part for change in overrides for part in ("--set", change)]
        options += [part for seed in seeds for part in ("--seed", str(seed))]
        options += [] if against is None else ["--against", against]
        options += [] if register is None else ["--register", register]
        command = shlex.join(["cgl", "run", pipeline, *options, "--resume"])
        raise Interrupted(f"{error}; the state is saved, go on with: {command}") from None
    if compared is not None and not quiet:
        from cgl_ignite.cli.against import show_outcome

        show_outcome(compared)
    say(_json(results, compared) if as_json else "\n".join(result.student for result in results))


def _train(
    pipeline: str,
    changes: Sequence[str],
    against: str | None,
    *,
    resume: bool,
    screen: Screen,
    register: str | None,
) -> tuple[Sequence[RunResult], Outcome | None]:
    """Run the pipeline, and another method if one is given."""
    if against is None:
        from cgl_ignite.catalogue import load_pipeline
        from cgl_ignite.pipeline import run as run_pipeline

        setting = load_pipeline(pipeline, changes)
        return run_pipeline(setting, resume=resume, screen=screen, register=register), None
    from cgl_ignite.comparison.against import opponents
    from cgl_ignite.config.load import load_document

    both = opponents(load_document(pipeline, changes), against)
    compared = both.run(resume=resume, screen=screen, register=register)
    return compared.own, compared


def _json(results: Sequence[RunResult], compared: Outcome | None) -> str:
    more = {} if compared is None else {"against": compared.tree()}
    return json.dumps({**_tree(results), **more})


def _tree(results: Sequence[RunResult]) -> dict[str, Any]:
    from cgl_ignite.pipeline import average_over_seeds

    if len(results) == 1:
        return asdict(results[0])
    summary = average_over_seeds(results)
    return {
        "runs": [asdict(result) for result in results],
        "mean": {name: mean for name, (mean, _) in summary.items()},
        "std": {name: std for name, (_, std) in summary.items()},
    }
