"""All measurements by one command, each with its target beside it.

    python benchmarks/suite.py                          at sizes that two cores work off within a quarter of an hour
    python benchmarks/suite.py --full --root DATA       at the paper's batch sizes
    python benchmarks/suite.py --only growth --only published --clock cpu

Writes ``suite.json`` with every round, ``suite.md`` with a table for each part, ``suite.png`` and, of the growth with
the number of students, ``growth.png``. A part that fails is named, the others go on, and the exit code is 1.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import machinery
from overhead import find_pipeline
from verdicts import lines_of, markdown, suite_figure

from cgl_ignite import Pipeline
from cgl_ignite.bench.curves import growth_figure
from cgl_ignite.bench.evaluation import measure_evaluation
from cgl_ignite.bench.figures import facts
from cgl_ignite.bench.floor import measure_floor
from cgl_ignite.bench.growth import COUNTS, FLAT, METHODS, SMALL_GROUPS, Setting, measure_growth
from cgl_ignite.bench.memory import measure_memory
from cgl_ignite.bench.published import measure_published
from cgl_ignite.bench.race import measure
from cgl_ignite.data import data_root
from cgl_ignite.pipeline.device import find_device

RESULTS = Path(__file__).resolve().parent / "results"


class Case(NamedTuple):
    """One setting of a part.

    Attributes:
        title: what it is called.
        name: of ``overhead.py``, the setting and the preset of the method.
        changes: of its pipeline.
        target: the most that the ratio may be.
    """

    title: str
    name: str
    changes: tuple[str, ...] = ()
    target: float | None = None


class Sizes(NamedTuple):
    """What is measured, part by part."""

    baseline: tuple[Case, ...]
    cgl: tuple[Case, ...]
    floor: tuple[Case, ...]
    evaluation: tuple[Case, ...]
    memory: tuple[Case, ...]
    published: tuple[Case, ...]
    growth: Setting = Setting()
    methods: tuple[str, ...] = tuple(METHODS)
    counts: tuple[int, ...] = COUNTS
    processes: int = 3
    machinery: machinery.Sizes = machinery.Sizes()


class Options(NamedTuple):
    """What the command line asks for."""

    sizes: Sizes
    rounds: int
    clock: str
    threads: int
    root: Path
    say: Callable[[str], None]

    def cases(self, part: str) -> Iterator[tuple[Case, Pipeline]]:
        """Yield the cases of a part, each when it begins."""
        for case in getattr(self.sizes, part):
            self.say(f"{part}: {case.title}")
            yield case, find_pipeline(case.name, self.root, (f"run.threads={self.threads}", *case.changes))


def of_batch(size: int, *changes: str) -> tuple[str, ...]:
    """Return the changes of a pipeline that make its batches smaller."""
    return (f"optim.batch_size={size}", *changes)


WIDE = "backbone.width=64"
DIGITS = Case("ResNet-8 on digits", "digits-cgl", (), 0.5)
RESNET = Case("ResNet-18 of width 16", "cifar10-cgl", (), 0.85)
SHARED_RESNET = RESNET._replace(title="ResNet-18 of width 16, shared statistics", changes=("method.statistics=shared",))
WIDE_RESNET = Case("ResNet-18 of width 64", "cifar10-cgl", (WIDE,), 0.96)
VDCNN = Case("VDCNN-9", "vdcnn9-cgl", (), 0.95)
TRANSFORMER = Case("Transformer", "transformer-cgl", (), 0.78)
BASELINES = (
    Case("ResNet-8 on digits", "digits-baseline"),
    Case("ResNet-18 of width 16", "cifar10-baseline", (), 1.03),
    Case("VDCNN-9", "vdcnn9-baseline", (), 1.03),
    Case("Transformer", "transformer-baseline", (), 1.03),
)
PUBLISHED = (
    Case("Baseline, ResNet-18 of width 16", "cifar10-baseline"),
    Case("DML, ResNet-18 of width 16", "cifar10-dml"),
    Case("CGL, ResNet-18 of width 16", "cifar10-cgl"),
)

FULL = Sizes(
    baseline=BASELINES,
    cgl=(DIGITS, RESNET, WIDE_RESNET, VDCNN, TRANSFORMER),
    floor=(DIGITS, RESNET, WIDE_RESNET, VDCNN, TRANSFORMER),
    evaluation=(DIGITS, RESNET, SHARED_RESNET, WIDE_RESNET, VDCNN, TRANSFORMER),
    memory=(DIGITS, RESNET, WIDE_RESNET, VDCNN, TRANSFORMER),
    published=PUBLISHED,
    growth=Setting("cifar10", 64),
)
"""The batch sizes of the paper."""

SMALL_RESNET = RESNET._replace(changes=of_batch(16))
SMALL_WIDE_RESNET = WIDE_RESNET._replace(changes=of_batch(4, WIDE))
SMALL_VDCNN = VDCNN._replace(changes=of_batch(4))
SMALL_TRANSFORMER = TRANSFORMER._replace(
    title="Transformer, texts cut to 256", changes=of_batch(2, "data.encoding.length=256")
)
EVALUATED_TRANSFORMER = TRANSFORMER._replace(
    title="Transformer, texts cut to 128", changes=("data.encoding.length=128",)
)
TWO_CORES = Sizes(
    baseline=(*BASELINES[:2], *(case._replace(changes=of_batch(8)) for case in BASELINES[2:])),
    cgl=(DIGITS, RESNET, SMALL_WIDE_RESNET, SMALL_VDCNN, SMALL_TRANSFORMER),
    floor=(DIGITS, RESNET, SMALL_TRANSFORMER),
    evaluation=(DIGITS, RESNET, SHARED_RESNET, EVALUATED_TRANSFORMER),
    memory=(DIGITS, SMALL_RESNET, SMALL_WIDE_RESNET, SMALL_TRANSFORMER),
    published=(PUBLISHED[0], *(case._replace(changes=of_batch(16)) for case in PUBLISHED[1:])),
)
"""A quarter of an hour on two cores with one thread; an iteration of CGL on VDCNN-9 takes seconds even so."""

TINIEST = (Case("the smallest ResNet-8 on digits", "digits-cgl", of_batch(4, "backbone.width=4")),)
TINY = Sizes(
    baseline=(TINIEST[0]._replace(name="digits-baseline"),),
    cgl=TINIEST,
    floor=TINIEST,
    evaluation=TINIEST,
    memory=TINIEST,
    published=TINIEST,
    growth=Setting(batch_size=2),
    methods=(SMALL_GROUPS,),
    counts=FLAT,
    processes=1,
    machinery=machinery.TINY,
)
"""To see that all of it runs."""


def race(part: str, options: Options) -> list[dict[str, Any]]:
    """Race the trainer against loops written by hand."""
    return [
        {
            "title": case.title,
            "target": case.target,
            **measure(case.name, pipeline, options.rounds, 0, options.clock),
        }
        for case, pipeline in options.cases(part)
    ]


def floor(part: str, options: Options) -> list[dict[str, Any]]:
    """Compare the planned passes with their arithmetic."""
    return [
        {"title": case.title, **measure_floor(pipeline, options.rounds, options.clock)}
        for case, pipeline in options.cases(part)
    ]


def evaluation(part: str, options: Options) -> list[dict[str, Any]]:
    """Score all students in one pass and one by one."""
    return [
        {"title": case.title, **measure_evaluation(pipeline, options.rounds, options.clock)}
        for case, pipeline in options.cases(part)
    ]


def memory(part: str, options: Options) -> list[dict[str, Any]]:
    """Compare the memory of a process with what is predicted."""
    return [{"title": case.title, **measure_memory(pipeline)} for case, pipeline in options.cases(part)]


def growth(part: str, options: Options) -> dict[str, Any]:
    """Let groups grow."""
    options.say(f"{part}: {', '.join(options.sizes.methods)}, by the number of students")
    sizes = options.sizes
    setting = sizes.growth._replace(threads=options.threads)
    return measure_growth(
        setting, options.rounds, options.clock, sizes.methods, sizes.counts, processes=sizes.processes
    )


def published(part: str, options: Options) -> list[dict[str, Any]]:
    """Race the trainer against what published code does."""
    return [
        {"title": case.title, **measure_published(case.name, pipeline, options.rounds, 0, options.clock)}
        for case, pipeline in options.cases(part)
    ]


def surroundings(part: str, options: Options) -> dict[str, Any]:
    """Time what goes on around the arithmetic."""
    found = {}
    for name, measured in machinery.PARTS.items():
        options.say(f"{part}: {name}")
        found[name] = measured(options.rounds, options.clock, options.root, options.sizes.machinery)
    return found


PARTS: dict[str, Callable[[str, Options], Any]] = {
    "baseline": race,
    "cgl": race,
    "floor": floor,
    "evaluation": evaluation,
    "memory": memory,
    "growth": growth,
    "published": published,
    "machinery": surroundings,
}


def work_off(chosen: Sequence[str], options: Options) -> dict[str, Any]:
    """Measure part after part; one that fails takes no other with it."""
    found: dict[str, Any] = {"load": [os.getloadavg()], "seconds": {}, "failed": {}, "parts": {}}
    for part in chosen:
        since = time.perf_counter()
        try:
            found["parts"][part] = PARTS[part](part, options)
        except Exception as error:  # noqa: BLE001  (told at the end, and by the exit code)
            found["failed"][part] = f"{type(error).__name__}: {error}"
            options.say(f"{part} failed")
            traceback.print_exc()
        found["seconds"][part] = time.perf_counter() - since
        found["load"].append(os.getloadavg())
    return found


def write(record: dict[str, Any], folder: Path) -> None:
    """Write the record, its tables and its pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = lines_of(record["parts"])
    (folder / "suite.json").write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    text = markdown(record, lines)
    (folder / "suite.md").write_text(text, "utf-8")
    if lines:
        suite_figure(lines).savefig(folder / "suite.png", dpi=160)
    if grown := record["parts"].get("growth"):
        growth_figure(grown).savefig(folder / "growth.png", dpi=160)
    print(text)


@click.command()
@click.option("--full", "sizes", flag_value="full", help="The paper's batch sizes.")
@click.option("--tiny", "sizes", flag_value="tiny", help="The smallest sizes, to see that it runs.")
@click.option("--rounds", default=15, show_default=True, help="Rounds that count.")
@click.option(
    "--clock", type=click.Choice(["wall", "cpu"]), default="wall", help="cpu: for one thread on a busy machine."
)
@click.option("--threads", default=1, show_default=True, help="Threads of PyTorch.")
@click.option("--root", type=click.Path(path_type=Path), help="Folder of the data sets (default: as cgl run).")
@click.option("--output", type=click.Path(path_type=Path), default=RESULTS, help="Folder of the results.")
@click.option("--only", multiple=True, type=click.Choice(list(PARTS)), help="Measure this part; may be repeated.")
def main(
    sizes: str | None, rounds: int, clock: str, threads: int, root: Path | None, output: Path, only: tuple[str, ...]
) -> None:
    """Measure everything, and tell which targets are reached."""
    logging.getLogger("ignite").setLevel(logging.CRITICAL)
    started = time.perf_counter()

    def say(text: str) -> None:
        print(f"{time.perf_counter() - started:6.0f} s  {text}", flush=True)

    chosen = {None: ("two cores", TWO_CORES), "full": ("full", FULL), "tiny": ("tiny", TINY)}[sizes]
    options = Options(chosen[1], rounds, clock, threads, data_root(root), say)
    found = work_off(only or tuple(PARTS), options)
    setting = {"sizes": chosen[0], "rounds": rounds, "clock": clock, "threads": threads}
    write({**facts(find_device("auto")), **setting, **found}, output)
    say(f"written to {output}")
    sys.exit(1 if found["failed"] else 0)


if __name__ == "__main__":
    main()
