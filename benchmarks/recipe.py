"""What each part of the training recipe costs: an iteration with it and without it, in turns, in one process.

An iteration makes its batch, augments it, runs forward and backward, and updates the weights.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
import torch
from ignite.engine import Engine, Events

from cgl_ignite.bench.figures import facts, ratio, summary
from cgl_ignite.bench.passes import ready, repetitions
from cgl_ignite.bench.progress import take_turns
from cgl_ignite.bench.race import make_clock
from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.data import Batch, data_root
from cgl_ignite.handlers.state import state_of
from cgl_ignite.pipeline.assemble import build_step
from cgl_ignite.pipeline.data import RunData, read_data
from cgl_ignite.pipeline.device import cpu_threads, find_device

PIPELINES = Path(__file__).resolve().parents[1] / "pipelines"
AVERAGE = 'run.average={kind="ema"}'
PLAIN = "plain"
CROP = '{kind="crop_flip"}'

PARTS: dict[str, Sequence[str]] = {
    PLAIN: [],
    "cosine": ['optim.schedule={kind="cosine", warmup=0.1}'],
    "clip_norm": ["optim.clip_norm=1.0"],
    "decay of weights only": ["optim.decay=weights"],
    "averaged weights": [AVERAGE],
    "label smoothing": ["method.loss.label_smoothing=0.1"],
    **{
        kind: [f'data.augment=[{CROP}, {{kind="{kind}"}}]']
        for kind in ("mixup", "cutmix", "random_erasing", "rotation", "color_jitter", "trivial_augment", "rand_augment")
    },
    "random_resized_crop": ['data.augment=[{kind="random_resized_crop"}]'],
    "color_jitter with hue": [f'data.augment=[{CROP}, {{kind="color_jitter", hue=0.1}}]'],
    "averaged weights as teacher": [AVERAGE, 'method.teachers=["average"]'],
}
"""Changes of the pipeline by part; augmentations come behind the crop of the plain pipeline, or crop in its place."""


class Loop:
    """Iterations of a training, one after the other, whenever it is asked to go on.

    Args:
        pipeline: the setting.
        data: what the pipeline reads.
        batches: what is trained on; by default what a run is.
    """

    def __init__(self, pipeline: Pipeline, data: RunData, batches: Iterator[Batch] | None = None) -> None:
        self.parts = ready(pipeline, data)
        self.seed = pipeline.seeds[0]
        self._step = build_step(pipeline, self.parts)
        self._batches = batches or self.parts.batches.stream(0)
        self._engine = Engine(lambda engine, batch: None)
        state = state_of(self._engine)
        state.ramp, state.iteration, state.max_epochs = 1.0, 0, pipeline.run.epochs
        state.epoch_length = self.parts.batches.epoch_length
        if self.parts.average is not None:
            self.parts.average.attach(self._engine)
            self._engine.fire_event(Events.STARTED)

    def go_on(self, iterations: int) -> None:
        """Train some iterations."""
        state = state_of(self._engine)
        for _ in range(iterations):
            state.iteration += 1
            state.imitated = self.parts.choice.at(self.seed, state.iteration)
            self._step(self._engine, next(self._batches))
            self._engine.fire_event(Events.ITERATION_COMPLETED)


def measure(
    bind: Callable[[Sequence[str]], Pipeline], rounds: int, clock: str, only: Sequence[str] = ()
) -> dict[str, Any]:
    """Time iterations with every part, and return its time over that of the plain recipe.

    Args:
        bind: makes the pipeline of some changes.
        rounds: in which each part and the plain recipe take turns.
        clock: ``wall`` or ``cpu``, see :func:`cgl_ignite.bench.race.make_clock`.
        only: the parts; by default all.
    """
    plain = bind([])
    device = find_device(plain.run.device)
    seconds = make_clock(clock, device)
    with cpu_threads(plain.run.threads):
        data = read_data(plain)
        loops = {
            name: Loop(bind(changes), data) for name, changes in PARTS.items() if not only or name in (PLAIN, *only)
        }
        for loop in loops.values():
            loop.go_on(2)
        since = seconds()
        loops[PLAIN].go_on(2)
        iterations = repetitions((seconds() - since) / 2, 50)
        ways = {name: partial(loop.go_on, iterations) for name, loop in loops.items()}
        times = {
            name: take_turns({PLAIN: ways[PLAIN], name: way}, rounds, seconds)
            for name, way in ways.items()
            if name != PLAIN
        }
        threads = torch.get_num_threads()
    return {
        "device": str(device),
        "threads": threads,
        "clock": clock,
        "students": plain.method.students,
        "iterations": iterations,
        "milliseconds": {
            name: {way: summary([1e3 * each / iterations for each in taken]) for way, taken in pair.items()}
            for name, pair in times.items()
        },
        "over_plain": {name: ratio(pair[name], pair[PLAIN]) for name, pair in times.items()},
    }


@click.command()
@click.argument("file", default="cifar10_resnet18.toml")
@click.option("--root", type=click.Path(path_type=Path), help="Folder of the data sets (default: as cgl run).")
@click.option("--rounds", default=15, show_default=True)
@click.option("--only", multiple=True, type=click.Choice([*PARTS]), help="Measure this part; default: all.")
@click.option("--clock", type=click.Choice(["wall", "cpu"]), default="cpu", show_default=True)
@click.option("--set", "changes", metavar="KEY=VALUE", multiple=True, help="Change the pipeline.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the record to this file.")
def main(
    file: str,
    root: Path | None,
    rounds: int,
    only: tuple[str, ...],
    clock: str,
    changes: tuple[str, ...],
    output: Path | None,
) -> None:
    """Tell what each part of the recipe costs, in percent of an iteration."""
    own = [f"data.root={data_root(root)}", f"data.augment={CROP}", "run.device=cpu", *changes]

    def bind(more: Sequence[str]) -> Pipeline:
        return load_pipeline(PIPELINES / file, [*own, *more])

    record = {
        **facts(torch.device("cpu")),
        "pipeline": file,
        "changes": list(changes),
        **measure(bind, rounds, clock, only),
    }
    for name, over in record["over_plain"].items():
        print(f"{name:30} {100 * (over['median'] - 1):+6.1f} %")
    if output:
        output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
