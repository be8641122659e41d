"""``cgl run``: train the students of a pipeline and hand over the selected one."""

from __future__ import annotations

import json
import shlex
from functools import partial
from typing import TYPE_CHECKING

import click

from cgl_ignite.cli.options import json_option
from cgl_ignite.errors import Interrupted

if TYPE_CHECKING:
    from cgl_ignite.pipeline import RunResult

__all__ = ["run"]


@click.command()
@click.argument("pipeline", type=click.Path())
@click.option("--set", "overrides", metavar="KEY=VALUE", multiple=True, help="Change a value of the pipeline.")
@click.option("--seed", "seeds", metavar="N", multiple=True, type=click.IntRange(min=0), help="Seed; may be repeated.")
@click.option("--resume", is_flag=True, help="Go on with the newest unfinished run of this pipeline and seed.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Where to train.")
@click.option("--register", metavar="NAME", help="Make the selected student a version of this model in MLflow.")
@json_option
@click.option("--quiet", is_flag=True, help="Show no progress.")
def run(
    pipeline: str,
    overrides: tuple[str, ...],
    seeds: tuple[int, ...],
    resume: bool,
    device: str | None,
    register: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Train the students of a pipeline together and test the selected one.

    Prints the file of the selected student, or with --json everything about it.
    """
    from cgl_ignite.catalogue import load_pipeline
    from cgl_ignite.cli.output import say
    from cgl_ignite.cli.processes import with_peers
    from cgl_ignite.cli.reading import reading
    from cgl_ignite.cli.render import make_screen
    from cgl_ignite.pipeline import run as run_pipeline

    changes = [*overrides, *([f"seeds={list(seeds)}"] if seeds else []), *([f"run.device={device}"] if device else [])]
    with with_peers() as peers:
        setting = (
            load_pipeline(pipeline, changes)
            if peers is None
            else peers.in_step(partial(load_pipeline, pipeline, changes))
        )
        quiet = quiet or (peers is not None and not peers.first)
        screen = make_screen(quiet=quiet)
        try:
            with reading(quiet=quiet):
                results = run_pipeline(setting, resume=resume, screen=screen, register=register, peers=peers)
        except Interrupted as error:
            options = [part for change in overrides for part in ("--set", change)]
            options += [part for seed in seeds for part in ("--seed", str(seed))]
            options += [] if register is None else ["--register", register]
            command = shlex.join(["cgl", "run", pipeline, *options, "--resume"])
            raise Interrupted(f"{error}; the state is saved, go on with: {command}") from None
        if results:
            say(_json(results) if as_json else "\n".join(result.student for result in results))


def _json(results: list[RunResult]) -> str:
    from cgl_ignite.pipeline import average_over_seeds

    if len(results) == 1:
        return results[0].json()
    summary = average_over_seeds(results)
    return json.dumps(
        {
            "runs": [json.loads(result.json()) for result in results],
            "mean": {name: mean for name, (mean, _) in summary.items()},
            "std": {name: std for name, (_, std) in summary.items()},
        }
    )
