"""How much slower, or faster, is the trainer than a loop written by hand?

The real trainer runs with all its handlers. After every few iterations it is held, the loops of
``cgl_ignite.bench.bare`` do the same iterations, and the time of each is noted: same process, same batches, same
load. Before anything is timed, the losses of all of them must agree.

    python benchmarks/overhead.py digits-baseline digits-cgl cifar10-baseline cifar10-cgl --root DATA --threads 1

``text.py`` does the same for texts, and tells time per epoch and memory besides.
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any, NamedTuple

import click

from cgl_ignite import CglError, Pipeline, load_pipeline
from cgl_ignite.bench.figures import facts
from cgl_ignite.bench.race import ONE_EPOCH, measure
from cgl_ignite.bench.synthetic import is_absent, made_up
from cgl_ignite.data import data_root
from cgl_ignite.pipeline.device import find_device

PIPELINES = Path(__file__).resolve().parents[1] / "pipelines"


class OverheadCase(NamedTuple):
    """A pipeline, and what is changed of it."""

    file: str
    changes: tuple[str, ...] = ()


SETTINGS = {
    "digits": OverheadCase("digits_resnet.toml"),
    "cifar10": OverheadCase("cifar10_resnet18.toml", ("backbone.width=16",)),
    "vdcnn9": OverheadCase("yelp_vdcnn.toml", ("data.holdout=2000",)),
    "transformer": OverheadCase("imdb_transformer.toml"),
}
CASES = [f"{name}-{method}" for name in SETTINGS for method in ("baseline", "cgl")]


def find_pipeline(case: str, root: Path, changes: tuple[str, ...]) -> Pipeline:
    """Return the pipeline of a case; random images or texts stand in for data that are not there."""
    name, method = case.split("-")
    setting = SETTINGS[name]
    own = [*setting.changes, f"method.preset={method}", *ONE_EPOCH, f"data.root={root}"]
    pipeline = load_pipeline(PIPELINES / setting.file, [*own, *changes])
    return made_up(pipeline) if is_absent(pipeline) else pipeline


def show(result: dict[str, Any]) -> None:
    """Print the figures of one case."""
    print(f"{result['case']} ({result['data']}): {len(result['rounds']['trainer'])} rounds of", end=" ")
    print(f"{result['iterations_per_round']} iterations, {result['threads']} threads, {result['clock']} clock")
    work = result["multiply_adds"]
    print(f"  arithmetic of the trainer / of the loops: {work['trainer'] / work['bare loop']:.3f}")
    for name, value in result["milliseconds"].items():
        text = f"  {name:40} {value['median']:9.2f} ms"
        if other := result["trainer_over"].get(name):
            text += f"   trainer / this: {other['median']:.3f} [{other['low']:.3f}, {other['high']:.3f}]"
        print(text)


@click.command()
@click.argument("cases", nargs=-1, required=True, type=click.Choice(CASES))
@click.option("--root", type=click.Path(path_type=Path), help="Folder of the data sets (default: as cgl run).")
@click.option("--rounds", default=21, show_default=True, help="Rounds that count.")
@click.option("--iterations", default=4, show_default=True, help="Iterations of a round.")
@click.option("--threads", type=int, help="Threads of PyTorch (default: as cgl run).")
@click.option(
    "--clock", type=click.Choice(["wall", "cpu"]), default="wall", help="cpu: for one thread on a busy machine."
)
@click.option(
    "--set", "changes", metavar="KEY=VALUE", multiple=True, help="Change the pipelines, e.g. backbone.width=64."
)
@click.option("--output", type=click.Path(path_type=Path), help="JSON file for all figures.")
def main(
    cases: tuple[str, ...],
    root: Path | None,
    rounds: int,
    iterations: int,
    threads: int | None,
    clock: str,
    changes: tuple[str, ...],
    output: Path | None,
) -> None:
    """Time the trainer against loops written by hand."""
    logging.getLogger("ignite").setLevel(logging.CRITICAL)
    load, results = [os.getloadavg()], []
    try:
        for case in cases:
            own = [f"run.threads={threads}"] if threads else []
            pipeline = find_pipeline(case, data_root(root), (*own, *changes))
            results.append(measure(case, pipeline, rounds, iterations, clock))
            load.append(os.getloadavg())
            show(results[-1])
    except CglError as error:
        raise click.ClickException(str(error)) from None
    device = find_device(pipeline.run.device)
    if output:
        output.write_text(json.dumps({**facts(device), "load": load, "cases": results}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
