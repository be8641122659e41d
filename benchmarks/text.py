"""What does an epoch of text cost, in time and in memory, beside a loop written by hand?

Each case is raced as in ``overhead.py``; the Transformer also against a loop that pads every text to the greatest
length. From the speed follows the time of an epoch of the paper's size. Then trainer and loop each train two
iterations, of texts of the maximum length, in a process of their own, which tells its peak memory.

    python benchmarks/text.py vdcnn9-baseline transformer-baseline --root DATA --threads 1 --set optim.batch_size=16
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import click
import torch
from overhead import PIPELINES, find_pipeline, show

from cgl_ignite import CglError, Pipeline, load_pipeline
from cgl_ignite.bench.bare import Given
from cgl_ignite.bench.figures import facts, peak_mib, ratio
from cgl_ignite.bench.race import PADDED, Race, contestants, measure, train
from cgl_ignite.data import DATASETS, data_root
from cgl_ignite.handlers.interruption import Interruption
from cgl_ignite.pipeline.assemble import assemble
from cgl_ignite.pipeline.data import read_data
from cgl_ignite.pipeline.device import find_device

PAPER = {
    "vdcnn9": ("yelp_vdcnn.toml", "yahoo_vdcnn.toml", "amazon_vdcnn.toml"),
    "transformer": ("imdb_transformer.toml",),
}
CASES = [f"{name}-{method}" for name in PAPER for method in ("baseline", "cgl")]
WARM_UP = 1
FULL = "data.encoding.pad=full"
UPDATES = 2
"""Iterations until an optimizer with its moments has done what it will do ever after."""


def per_row(pipeline: Pipeline, result: dict[str, Any]) -> dict[str, list[float]]:
    """Tell, by each round, the seconds a contestant takes for a training row, on the mean of one pass.

    Time grows with the tokens of a batch, padding included: those of a pass are counted. Where all is padded, it
    grows with the rows.
    """
    device = find_device(pipeline.run.device)
    parts = assemble(pipeline, read_data(pipeline), pipeline.seeds[0], device, Interruption())
    length = parts.batches.epoch_length // pipeline.run.passes_per_epoch
    rows, inputs = 0, 0
    for batch in islice(parts.batches.stream(0), length):
        rows += len(batch.targets)
        inputs += batch.inputs.numel()
    together = pipeline.optim.batch_size * len(parts.subsets.sizes)
    seconds = {}
    for name in ("trainer", *result["trainer_over"]):
        shares = [together if name == PADDED else read * rows / inputs for read in result["inputs_per_iteration"]]
        times = result["rounds"][name]
        seconds[name] = [time / 1000 / share for time, share in zip(times, shares, strict=True)]
    return seconds


def costs(case: str, pipeline: Pipeline, result: dict[str, Any], options: list[str]) -> dict[str, Any]:
    """Return rates, times per epoch, the price of padding, and memory."""
    loops = [name for name in result["trainer_over"] if name != PADDED]
    rounds = per_row(pipeline, result)
    seconds = {name: median(values) for name, values in rounds.items()}
    return {
        "rows_per_second": {name: 1 / one for name, one in seconds.items()},
        "epoch_seconds": {
            kind: {name: rows * one for name, one in seconds.items()}
            for kind, rows in map(paper_rows, PAPER[case.split("-")[0]])
        },
        "padded_over_cut": ratio(rounds[PADDED], rounds[loops[-1]]) if PADDED in rounds else None,
        "memory": {name: memory([case, *options, "--alone", name]) for name in ("trainer", *loops)},
    }


def paper_rows(file: str) -> tuple[str, int]:
    """Return the data set of a pipeline and how many rows its students learn from."""
    data = load_pipeline(PIPELINES / file).data
    return data.kind, DATASETS.facts(data.kind)["rows"][0] - data.holdout


def alone(pipeline: Pipeline, name: str) -> dict[str, float]:
    """Train a few iterations, in a process that does nothing else, and tell its memory before and at the most."""
    before = peak_mib()
    if name == "trainer":
        train(pipeline, Race({}, UPDATES, 1))
    else:
        device = find_device(pipeline.run.device)
        loop = contestants(pipeline, take(pipeline, device), device)[name]
        for _ in range(UPDATES):
            next(loop)
    return {"before_mib": before, "peak_mib": peak_mib()}


def take(pipeline: Pipeline, device: torch.device) -> Given:
    """Read the data, and let go of the pool that no loop needs."""
    return Given.of(assemble(pipeline, read_data(pipeline), pipeline.seeds[0], device, Interruption()))


def memory(options: list[str]) -> dict[str, float]:
    """Ask another process, whose texts all have the maximum length."""
    command = [sys.executable, __file__, *options, "--set", FULL]
    found: dict[str, float] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return found


def show_costs(found: dict[str, Any]) -> None:
    """Print time per epoch and memory of one case."""
    if over := found["padded_over_cut"]:
        print(f"  padded / cut to the longest of a batch: {over['median']:.2f} [{over['low']:.2f}, {over['high']:.2f}]")
    for kind, seconds in found["epoch_seconds"].items():
        print(f"  an epoch of {kind}: ", ", ".join(f"{name} {time / 3600:.2f} h" for name, time in seconds.items()))
    for name, one in found["memory"].items():
        print(f"  peak memory of {name}: {one['peak_mib']:.0f} MiB, {one['before_mib']:.0f} MiB of it before")


@click.command()
@click.argument("cases", nargs=-1, required=True, type=click.Choice(CASES))
@click.option("--root", type=click.Path(path_type=Path), help="Folder of the data sets (default: as cgl run).")
@click.option("--rounds", default=11, show_default=True, help="Rounds that count.")
@click.option("--iterations", default=1, show_default=True, help="Iterations of a round.")
@click.option("--threads", default=1, show_default=True, help="Threads of PyTorch.")
@click.option(
    "--clock", type=click.Choice(["wall", "cpu"]), default="wall", help="cpu: for one thread on a busy machine."
)
@click.option("--set", "changes", metavar="KEY=VALUE", multiple=True, help="Change the pipelines.")
@click.option("--output", type=click.Path(path_type=Path), help="JSON file for all figures.")
@click.option("--alone", "name", hidden=True)
def main(
    cases: tuple[str, ...],
    root: Path | None,
    rounds: int,
    iterations: int,
    threads: int,
    clock: str,
    changes: tuple[str, ...],
    output: Path | None,
    name: str | None,
) -> None:
    """Time text against loops written by hand, and tell time per epoch and memory."""
    logging.getLogger("ignite").setLevel(logging.CRITICAL)
    load, results = [os.getloadavg()], []
    try:
        for case in cases:
            pipeline = find_pipeline(case, data_root(root), (f"run.threads={threads}", *changes))
            if name is not None:
                print(json.dumps(alone(pipeline, name)))
                return
            result = measure(case, pipeline, rounds, iterations, clock, WARM_UP)
            show(result)
            options = [f"--root={data_root(root)}", f"--threads={threads}", *(f"--set={change}" for change in changes)]
            found = costs(case, pipeline, result, options)
            show_costs(found)
            results.append({**result, **found})
            load.append(os.getloadavg())
    except CglError as error:
        raise click.ClickException(str(error)) from None
    if output:
        record = {**facts(find_device(pipeline.run.device)), "load": load, "cases": results}
        output.write_text(json.dumps(record, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
