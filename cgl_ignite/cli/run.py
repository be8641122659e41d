"""``cgl run``: train the students of a pipeline and hand over the selected one."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from cgl_ignite.cli.options import json_option, tuning_of, tuning_options
from cgl_ignite.errors import InputError, Interrupted

if TYPE_CHECKING:
    from rich.text import Text

    from cgl_ignite.comparison.rows import Tuning
    from cgl_ignite.config.schema import Pipeline
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
@tuning_options("Train with each value and the first seed, then with the one that is best on the holdout.")
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
    tune: Tuning | None,
    tune_seeds: int | None,
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
    command = ["cgl", "run", pipeline, *(part for change in overrides for part in ("--set", change))]
    command += [part for seed in seeds for part in ("--seed", str(seed))]
    tuning = tuning_of(tune, tune_seeds)
    training = Training(pipeline, changes, against, tuning, command, resume=resume, register=register)
    with with_peers() as peers:
        quiet = quiet or (peers is not None and not peers.first)
        try:
            with reading(quiet=quiet):
                tell = (lambda text: None) if quiet else partial(say, err=True)
                ending = training.run(partial(make_screen, quiet), peers, tell)
        except Interrupted as error:
            raise Interrupted(f"{error}; the state is saved, go on with: {training.again}") from None
        if not quiet:
            ending.show()
        if ending.results:
            say(ending.as_json() if as_json else "\n".join(result.student for result in ending.results))


@dataclass(frozen=True)
class Ending:
    """The runs of the pipeline, the last lines for the user, and what else stands in the JSON object."""

    results: Sequence[RunResult]
    lines: Iterable[Text] = ()
    more: Mapping[str, Any] = field(default_factory=dict)

    def show(self) -> None:
        """Write the lines to stderr."""
        from cgl_ignite.cli.output import SafeConsole

        console = SafeConsole(stderr=True, highlight=False, soft_wrap=True)
        for line in self.lines:
            console.print(line)

    def as_json(self) -> str:
        """Write everything as one JSON object."""
        return json.dumps({**_tree(self.results), **self.more})


@dataclass(frozen=True)
class Training:
    """What is trained: a pipeline with its changes, another method ``against`` it, or one value after the other.

    ``tuning``: these values. ``command``: what the user has given, without the last two.
    """

    pipeline: str
    changes: Sequence[str]
    against: str | None
    tuning: Tuning | None
    command: Sequence[str]
    _: KW_ONLY
    resume: bool
    register: str | None

    @property
    def again(self) -> str:
        """The command that goes on."""
        options = [] if self.against is None else ["--against", self.against]
        options += [] if self.tuning is None else self.tuning.options
        options += [] if self.register is None else ["--register", self.register]
        return shlex.join([*self.command, *options, "--resume"])

    def run(self, make_screen: Callable[..., Screen], peers: Peers | None, tell: Callable[[str], object]) -> Ending:
        """Train, beside ``peers`` if there are several processes; ``tell`` writes a line."""
        if self.against is not None and self.tuning is not None:
            raise InputError("--against and --tune do not go together; tune first, then compare with the chosen value")
        if self.against is None and self.tuning is None:
            return self._alone(make_screen(), peers)
        if peers is not None:
            option = "--against" if self.tuning is None else "--tune"
            raise InputError(f"{option} runs in one process; leave out torchrun, or {option}")
        if self.tuning is not None:
            return self._tuned(self.tuning, make_screen(brief=True), tell)
        return self._compared(str(self.against), make_screen())

    def _alone(self, screen: Screen, peers: Peers | None) -> Ending:
        from cgl_ignite.catalogue import load_pipeline
        from cgl_ignite.pipeline import run

        load = partial(load_pipeline, self.pipeline, self.changes)
        setting = load() if peers is None else peers.in_step(load)
        return Ending(run(setting, resume=self.resume, screen=screen, register=self.register, peers=peers))

    def _compared(self, method: str, screen: Screen) -> Ending:
        from cgl_ignite.cli.against import outcome_lines
        from cgl_ignite.comparison.against import opponents
        from cgl_ignite.config.load import load_document

        both = opponents(load_document(self.pipeline, self.changes), method)
        outcome = both.run(resume=self.resume, screen=screen, register=self.register)
        return Ending(outcome.own, outcome_lines(outcome), {"against": outcome.tree()})

    def _tuned(self, tuning: Tuning, screen: Screen, tell: Callable[[str], object]) -> Ending:
        from cgl_ignite.catalogue import load_pipeline
        from cgl_ignite.cli.tuned import tuned_lines
        from cgl_ignite.comparison.tuned import tune

        def load(more: Sequence[str]) -> Pipeline:
            return load_pipeline(self.pipeline, [*self.changes, *more])

        tuned = tune(tuning, load, screen=screen, tell=tell, register=self.register)
        return Ending(tuned.results, tuned_lines(tuned, self.command), {"tuned": tuned.tree()})


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
