"""What a training sample costs as the group grows: every method, from one student to 64.

CGL's promise is that students are nearly free: with sub-groups of a fixed size each student runs as many passes however
many students there are, modules are shared by all, and batches go through the pool in chunks.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import torch

from cgl_ignite.bench.figures import peak_mib, ratio, summary
from cgl_ignite.bench.passes import PlannedPass, ready
from cgl_ignite.bench.progress import rounds_done
from cgl_ignite.bench.race import make_clock
from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.presets import PAPER_METHODS
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.data import DataSource, Examples
from cgl_ignite.errors import ConfigError
from cgl_ignite.handlers.state import StudentLosses
from cgl_ignite.imitation import CHOICES
from cgl_ignite.pipeline.assemble import Parts
from cgl_ignite.pipeline.data import RunData
from cgl_ignite.pipeline.device import cpu_threads, find_device
from cgl_ignite.pipeline.forecast import forecast
from cgl_ignite.spec import InputSpec

__all__ = [
    "COUNTS",
    "FLAT",
    "METHODS",
    "MODELS",
    "SMALL_GROUPS",
    "GrowthSetting",
    "flatness",
    "measure_growth",
]

COUNTS = (1, 2, 4, 8, 16, 32, 64)
FLAT = (8, 64)
"""Between these numbers of students CGL is to cost the same."""

SMALL_GROUPS = "cgl, 2 imitated"
METHODS: Mapping[str, Mapping[str, Any]] = {
    **{name: {"preset": name} for name in PAPER_METHODS},
    SMALL_GROUPS: {"preset": "cgl", "choose": {"kind": "fixed", "size": 2}},
}
"""Every method of the paper, and CGL with sub-groups that do not grow with the group."""

MODELS: Mapping[str, Mapping[str, Any]] = {
    "digits": {"backbone": {"kind": "resnet8"}, "padding": 1, "shape": (1, 8, 8)},
    "cifar10": {"backbone": {"kind": "resnet18", "width": 16}, "padding": 4, "shape": (3, 32, 32)},
}
CLASSES, BATCHES_PER_STUDENT = 10, 4
BATCHES_PER_CHUNK = 8
MOST_ITERATIONS, MOST_BATCHES = 4, 32
"""Of a turn: fewer iterations of many students, so that the turns of all take about as long."""
WARM_UP = 2
CHUNKS = 24
"""What a process works off before it tells its memory: the sub-groups of some chunks need more than those of others."""


class GrowthSetting(NamedTuple):
    """What all pools of a measurement have in common."""

    model: str = "digits"
    batch_size: int = 16
    students: int = max(COUNTS)
    device: str = "auto"
    threads: int | None = 1

    def pipeline(self, method: str, students: int) -> Pipeline:
        """Return the pipeline of a method with this many students.

        Paths may repeat: the digits' network has 16, for up to 64 students.

        Raises:
            ConfigError: the method cannot be with this many students.
        """
        model, table = MODELS[self.model], METHODS[method]
        routing = {"routing": {"kind": "random", "distinct": False}} if table["preset"].startswith("cgl") else {}
        return load_pipeline(
            {
                "name": f"{method}, {students} students",
                "data": {
                    "kind": self.model,
                    "holdout": CLASSES,
                    "augment": {"kind": "crop_flip", "padding": model["padding"]},
                },
                "backbone": dict(model["backbone"]),
                "method": {**table, **routing, "students": students, "ramp": {"start": 0.0, "end": 0.0}},
                "optim": {"kind": "adam", "learning_rate": 1e-3, "batch_size": self.batch_size},
                "run": {
                    "epochs": 1,
                    "device": self.device,
                    "threads": self.threads,
                    "batches_per_chunk": BATCHES_PER_CHUNK,
                },
            }
        )

    def source(self) -> DataSource:
        """Make up images, the same number whatever the students, enough for full batches of all of them."""
        shape, generator = MODELS[self.model]["shape"], torch.Generator().manual_seed(0)
        rows = self.students * self.batch_size * BATCHES_PER_STUDENT + CLASSES
        inputs = torch.randint(256, (rows, *shape), generator=generator, dtype=torch.uint8)
        part = Examples(inputs, torch.arange(rows) % CLASSES)
        return DataSource(part, lambda: part, tuple(map(str, range(CLASSES))), InputSpec("image", shape))


class Pool:
    """A pool that trains when it is asked to, by the trainer's step.

    Attributes:
        parts: of the run.
        facts: what is known of it without a clock.
        iterations: of a turn.
        milliseconds: per own training sample, by rounds.
    """

    def __init__(self, pipeline: Pipeline, source: DataSource, device: torch.device) -> None:
        seed, students = pipeline.seeds[0], pipeline.method.students
        self.parts = ready(pipeline, RunData(source, pipeline.data))
        self.iterations = max(1, min(MOST_ITERATIONS, MOST_BATCHES // students))
        self.milliseconds: list[float] = []
        self._own = students * pipeline.optim.batch_size
        self._training = training(pipeline, self.parts)
        planned = forecast(pipeline, self.parts.routing, self.parts.subsets.group_of, self.parts.costs, seed, device)
        self.facts = {
            "students": students,
            "iterations_per_round": self.iterations,
            "multiply_adds_per_sample": planned.multiply_adds / self._own,
            "parameters": self.parts.parameters,
            "kept_bytes": planned.kept,
            "weights_bytes": planned.weights,
        }

    def turn(self, clock: Callable[[], float]) -> None:
        """Train the iterations of a turn and note the time of a sample."""
        since = clock()
        for _ in range(self.iterations):
            next(self._training)
        self.milliseconds.append(1e3 * (clock() - since) / self.iterations / self._own)


def training(pipeline: Pipeline, parts: Parts) -> Iterator[StudentLosses]:
    """Train a pool by the trainer's step, with its batches and draws; every ``next`` is an iteration."""
    batches = parts.batches.stream(0)
    step = PlannedPass(pipeline, parts, next(batches), parts.optimizer)
    for iteration in count(1):
        yield step(iteration)
        step.batch = next(batches)


def measure_growth(
    setting: GrowthSetting,
    rounds: int,
    clock: str,
    methods: Sequence[str] = tuple(METHODS),
    counts: Sequence[int] = COUNTS,
    *,
    processes: int = 3,
) -> dict[str, Any]:
    """Time every method with this many students, all counts of a method in turns.

    Args:
        setting: model, batch size, device and threads.
        rounds: that count; two go before them.
        clock: ``wall`` or ``cpu``.
        methods: keys of :data:`METHODS`.
        counts: numbers of students; those that a method cannot have are left out, and one alone that is to imitate.
        processes: how many of their own tell the peak memory of CGL with sub-groups of two; it differs by some pages.
    """
    device, source = find_device(setting.device), setting.source()
    record: dict[str, Any] = {
        **setting._asdict(),
        "device": str(device),
        "clock": clock,
        "batches_per_chunk": BATCHES_PER_CHUNK,
        "methods": {},
    }
    with cpu_threads(setting.threads):
        for method in methods:
            record["methods"][method] = _race(setting, method, counts, rounds, make_clock(clock, device), source)
    if SMALL_GROUPS in methods and set(FLAT) <= set(counts):
        record["flat"] = flatness({row["students"]: row for row in record["methods"][SMALL_GROUPS]}, *FLAT)
        if processes:
            record["flat"]["memory"] = _memory(setting, processes)
    return record


def flatness(rows: Mapping[int, Mapping[str, Any]], few: int, many: int) -> dict[str, Any]:
    """Compare what a sample costs with many students and with few: time by rounds, arithmetic, parameters."""
    return {
        "students": [few, many],
        "time": ratio(rows[many]["rounds"], rows[few]["rounds"]),
        "arithmetic": rows[many]["multiply_adds_per_sample"] / rows[few]["multiply_adds_per_sample"],
        "parameters": rows[many]["parameters"] / rows[few]["parameters"],
        "kept_bytes": rows[many]["kept_bytes"] / rows[few]["kept_bytes"],
    }


def _race(
    setting: GrowthSetting,
    method: str,
    counts: Sequence[int],
    rounds: int,
    clock: Callable[[], float],
    source: DataSource,
) -> list[dict[str, Any]]:
    pools, device = [], find_device(setting.device)
    for students in counts:
        with suppress(ConfigError):
            pipeline = setting.pipeline(method, students)
            if students > 1 or CHOICES.build(pipeline.method.choose, students).expected == 0:
                pools.append(Pool(pipeline, source, device))
    for done in range(1, WARM_UP + rounds + 1):
        for pool in pools:
            pool.turn(clock)
        rounds_done(done, WARM_UP + rounds)
    measured = [(pool, pool.milliseconds[WARM_UP:]) for pool in pools]
    return [{**pool.facts, "milliseconds_per_sample": summary(times), "rounds": times} for pool, times in measured]


_ALONE = "import sys; sys.path.insert(0, sys.argv.pop(1)); from growth import alone; alone(sys.argv[1])"


def _memory(setting: GrowthSetting, processes: int) -> dict[str, Any]:
    """Ask processes of their own for the memory that few and many students need."""
    found: dict[str, Any] = {}
    for students in FLAT:
        question = json.dumps([*setting, students])
        command = [sys.executable, "-c", _ALONE, str(Path(__file__).parent), question]
        answers = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(processes)]
        rows = [json.loads(answer.stdout) for answer in answers]
        found[str(students)] = {name: median(row[name] for row in rows) for name in rows[0]}
    few, many = (found[str(students)] for students in FLAT)
    return {**found, "peak": many["peak_mib"] / few["peak_mib"], "growth": many["growth_mib"] / few["growth_mib"]}


def alone(question: str) -> None:
    """Train a few iterations in a process that does nothing else, and print its memory in MiB.

    On CUDA it is that of the device, else that of the process; ``growth`` leaves out what was there before.
    """
    *values, students = json.loads(question)
    setting = GrowthSetting(*values)
    device, before = find_device(setting.device), peak_mib()
    pipeline = setting.pipeline(SMALL_GROUPS, students)
    with cpu_threads(setting.threads):
        steps = training(pipeline, ready(pipeline, RunData(setting.source(), pipeline.data)))
        for _ in range(max(1, CHUNKS * BATCHES_PER_CHUNK // students)):
            next(steps)
    peak = peak_mib()
    if device.type == "cuda":
        before, peak = 0.0, torch.cuda.max_memory_allocated(device) / 2**20
    sys.stdout.write(json.dumps({"peak_mib": peak, "growth_mib": peak - before}))
