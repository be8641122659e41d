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
from growth import measure_growth
from growth_figure import growth_figure
from overhead import find_pipeline
from precision import measure_precision
from published import measure_published
from sizes import FULL, TINY, TWO_CORES, SuiteCase, SuiteSizes
from verdicts import lines_of, markdown, suite_figure

from cgl_ignite import Pipeline
from cgl_ignite.analysis.canvas import as_png
from cgl_ignite.bench.evaluation import measure_evaluation
from cgl_ignite.bench.figures import facts
from cgl_ignite.bench.floor import measure_floor
from cgl_ignite.bench.memory import measure_memory
from cgl_ignite.bench.race import PADDED, measure
from cgl_ignite.data import data_root
from cgl_ignite.pipeline.device import find_device

RESULTS = Path(__file__).resolve().parent / "results"


class Options(NamedTuple):
    """What the command line asks for."""

    sizes: SuiteSizes
    rounds: int
    clock: str
    threads: int
    root: Path
    say: Callable[[str], None]

    def cases(self, part: str) -> Iterator[tuple[SuiteCase, Pipeline]]:
        """Yield the cases of a part, each when it begins."""
        for case in getattr(self.sizes, part):
            self.say(f"{part}: {case.title}")
            yield case, find_pipeline(case.name, self.root, (f"run.threads={self.threads}", *case.changes))


def race(part: str, options: Options) -> list[dict[str, Any]]:
    """Race the trainer against loops written by hand."""
    return [
        {
            "title": case.title,
            "target": case.target,
            **measure(case.name, pipeline, options.rounds, 0, options.clock, leave_out=(PADDED,)),
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


def precision(part: str, options: Options) -> list[dict[str, Any]]:
    """Compare bfloat16 with float32."""
    return [
        {"title": case.title, **measure_precision(pipeline, options.rounds, options.clock)}
        for case, pipeline in options.cases(part)
    ]


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
    "precision": precision,
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
        (folder / "suite.png").write_bytes(as_png(suite_figure(lines)))
    if grown := record["parts"].get("growth"):
        (folder / "growth.png").write_bytes(as_png(growth_figure(grown)))
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
