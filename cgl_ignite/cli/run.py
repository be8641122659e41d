"""``cgl run``: train the students of a pipeline and hand over the selected one."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import KW_ONLY, asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from cgl_ignite.cli.options import json_option
from cgl_ignite.errors import InputError, Interrupted

if TYPE_CHECKING:
    from cgl_ignite.comparison.against import Outcome
    from cgl_ignite.display import Screen
    from cgl_ignite.distributed.peers import Peers
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
    from cgl_ignite.cli.processes import with_peers
    from cgl_ignite.cli.reading import reading
    from cgl_ignite.cli.render import make_screen

    changes = [*overrides, *([f"seeds={list(seeds)}"] if seeds else []), *([f"run.device={device}"] if device else [])]
    training = Training(pipeline, changes, against, resume=resume, register=register)
    with with_peers() as peers:
        quiet = quiet or (peers is not None and not peers.first)
        try:
            with reading(quiet=quiet):
                results, compared = training.run(make_screen(quiet=quiet), peers)
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
        if results:
            say(_json(results, compared) if as_json else "\n".join(result.student for result in results))


@dataclass(frozen=True)
class Training:
    """What is trained: a pipeline with its changes and, if one is given, another method ``against`` it."""

    pipeline: str
    changes: Sequence[str]
    against: str | None
    _: KW_ONLY
    resume: bool
    register: str | None

    def run(self, screen: Screen, peers: Peers | None) -> tuple[Sequence[RunResult], Outcome | None]:
        """Train, beside ``peers`` if there are several processes."""
        return (self._alone(screen, peers), None) if self.against is None else self._compared(screen, peers)

    def _alone(self, screen: Screen, peers: Peers | None) -> Sequence[RunResult]:
        from cgl_ignite.catalogue import load_pipeline
        from cgl_ignite.pipeline import run

        load = partial(load_pipeline, self.pipeline, self.changes)
        setting = load() if peers is None else peers.in_step(load)
        return run(setting, resume=self.resume, screen=screen, register=self.register, peers=peers)

    def _compared(self, screen: Screen, peers: Peers | None) -> tuple[Sequence[RunResult], Outcome]:
        from cgl_ignite.comparison.against import opponents
        from cgl_ignite.config.load import load_document

        if peers is not None:
            raise InputError("--against runs in one process; leave out torchrun, or --against")
        both = opponents(load_document(self.pipeline, self.changes), str(self.against))
        outcome = both.run(resume=self.resume, screen=screen, register=self.register)
        return outcome.own, outcome


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
