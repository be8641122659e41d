"""The real trainer and loops written by hand take turns: same process, same batches, same load.

The trainer runs with all its handlers. After every few iterations it is held, and the loops of
:mod:`cgl_ignite.bench.bare` do the same iterations. Before anything is timed, the losses of all of them must agree.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import torch

from cgl_ignite.bench.bare import Given, Losses, loop_over_students, plain_network
from cgl_ignite.bench.figures import ratio, summary
from cgl_ignite.bench.passes import repetitions
from cgl_ignite.bench.progress import rounds_done
from cgl_ignite.config.schema import Loss, Pipeline
from cgl_ignite.display import NoScreen
from cgl_ignite.handlers.interruption import Interruption
from cgl_ignite.pipeline import run
from cgl_ignite.pipeline.assemble import Parts, assemble
from cgl_ignite.pipeline.data import read_data
from cgl_ignite.pipeline.device import find_device
from cgl_ignite.pipeline.forecast import forecast
from cgl_ignite.tracking.memory import MemoryTracker

__all__ = [
    "ONE_EPOCH",
    "PADDED",
    "Race",
    "contestants",
    "described",
    "has_loops",
    "hold",
    "make_clock",
    "measure",
    "train",
]

ONE_EPOCH = ("run.epochs=1", "run.passes_per_epoch=100000", "method.ramp.start=0.0", "method.ramp.end=0.0")
"""Changes of a pipeline after which it does nothing but iterations, with φ = 1."""

IMITATION = {
    "temperature",
    "temperature_squared",
    "mixes",
    "teacher_gradient",
    "imitation_weight",
    "trunk_gradient",
}
"""Constants of the loss that change nothing for a student who is alone; all others belong to its cross-entropy."""

WARM_UP = 2
MOST_ITERATIONS = 200
PADDED = "bare loop, padded to the maximum length"
TOLERANCE = 1e-3


class RaceOver(BaseException):
    """Ends the run: every round is measured."""


class Race(NoScreen):
    """The screen of a run that lets others train in between.

    Attributes:
        times: for each one, the seconds per iteration of every round; the first rounds are warm-up.
        inputs: for each of these rounds, how many numbers an iteration has read, padding included.
        deviation: the greatest relative difference of a loss of the first iteration from the trainer's.
        threads: of everyone.

    Args:
        others: what takes turns with the trainer.
        rounds: how many there are.
        iterations: of a round; 0 chooses them by the second one, which is then a round of its own like the first.
        clock: tells the seconds.
        compare: whether the losses must agree.
    """

    def __init__(
        self,
        others: dict[str, Iterator[Any]],
        rounds: int,
        iterations: int,
        clock: Callable[[], float] = time.perf_counter,
        *,
        compare: bool = False,
    ) -> None:
        self.others = others
        self.rounds = rounds
        self.iterations = iterations or 1
        self.clock = clock
        self.compare = compare
        self.inputs: list[float] = []
        self.times: dict[str, list[float]] = {name: [] for name in ("trainer", *others)}
        self.deviation = 0.0
        self.threads = 0
        self._outputs: list[Any] = []
        self._choose = not iterations
        self._read = 0
        self._since = 0.0

    def start(self, _: Any) -> None:
        """Start the clock of the first round."""
        self.threads = torch.get_num_threads()
        self._since = self.clock()

    def iteration(self, state: Any) -> None:
        """Count an iteration of the trainer; after the last one of a round the others do theirs."""
        self._outputs.append(state.output)
        self._read += state.batch.inputs.numel()
        if len(self._outputs) < self.iterations:
            return
        self._note("trainer")
        self.inputs.append(self._read / self.iterations)
        for name, other in self.others.items():
            self._since = self.clock()
            results = [next(other) for _ in range(self.iterations)]
            self._note(name)
            if self.compare and len(self.times["trainer"]) == 1 and isinstance(results[0], tuple):
                self._compare(name, results[0])
        done = len(self.times["trainer"])
        rounds_done(done, self.rounds)
        if done == self.rounds:
            raise RaceOver
        if self._choose and done == WARM_UP:
            self.iterations = repetitions(self.times["trainer"][-1], MOST_ITERATIONS)
        self._outputs.clear()
        self._read = 0
        self._since = self.clock()

    def _note(self, name: str) -> None:
        self.times[name].append((self.clock() - self._since) / self.iterations)

    def _compare(self, name: str, losses: Losses) -> None:
        for mine, theirs in zip((self._outputs[0].ce, self._outputs[0].kl), losses, strict=True):
            difference = float((mine - theirs.to(mine)).abs().max() / mine.abs().max().clamp(min=1e-9))
            self.deviation = max(self.deviation, difference)
            if not difference <= TOLERANCE:
                raise AssertionError(f"{name} computes another loss: {theirs.tolist()}, the trainer {mine.tolist()}")


def has_loops(pipeline: Pipeline) -> bool:
    """Tell whether the loops written by hand do what this pipeline does: Adam, and one network alone or Eqs. 3 to 6."""
    method, optim = pipeline.method, pipeline.optim
    if optim.kind != "adam" or optim.options["weight_decay"] or optim.clip_norm is not None:
        return False
    if method.teachers or pipeline.run.average.kind != "none":
        return False
    if pipeline.data.balance == "loss" or pipeline.data.options.get("weight") is not None:
        return False
    if pipeline.backbone.weights is not None or optim.layer_decay != 1:
        return False
    if method.students == 1:
        return method.loss.model_dump(exclude=IMITATION) == Loss().model_dump(exclude=IMITATION)
    formula = method.loss.model_copy(update={"temperature": Loss().temperature}) == Loss()
    own = method.statistics == "student" and method.subsets.kind == "disjoint"
    return formula and own and method.weigh.kind == "mean"


def contestants(pipeline: Pipeline, given: Given, device: torch.device) -> dict[str, Iterator[Any]]:
    """Return the loops that run against the trainer, and the making of batches, which all of them share."""
    return {**_loops(pipeline, given, device), "batches alone": given.batches.stream(0)}


def _loops(pipeline: Pipeline, given: Given, device: torch.device) -> dict[str, Iterator[Any]]:
    if not has_loops(pipeline):
        return {}
    setting = (pipeline, given, pipeline.seeds[0], device)
    longest = given.splits.spec.shape[0] if given.splits.train.lengths is not None else None
    if pipeline.method.students == 1:
        loops = {"bare loop": plain_network(*setting)}
        if longest:
            loops[PADDED] = plain_network(*setting, length=longest)
    else:
        loops = {
            "bare loop": loop_over_students(*setting, at_once=True),
            "bare loop, backward per student": loop_over_students(*setting, at_once=False),
        }
        if longest:
            loops[PADDED] = loop_over_students(*setting, at_once=False, length=longest)
    return loops


def hold(
    pipeline: Pipeline,
    device: torch.device,
    rounds: int,
    iterations: int,
    clock: str,
    *,
    compare: bool,
    leave_out: Collection[str] = (),
) -> tuple[Race, Parts]:
    """Run the trainer and let the others train in between, but for some of them."""
    parts = assemble(pipeline, read_data(pipeline), pipeline.seeds[0], device, Interruption())
    everyone = contestants(pipeline, Given.of(parts), device)
    others = {name: other for name, other in everyone.items() if name not in leave_out}
    race = Race(others, rounds, iterations, make_clock(clock, device), compare=compare)
    train(pipeline, race)
    return race, parts


def train(pipeline: Pipeline, screen: Race) -> None:
    """Run the trainer until its screen has seen enough."""
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(RaceOver):
        tracking = pipeline.tracking.model_copy(update={"folder": Path(folder)})
        run(pipeline.model_copy(update={"tracking": tracking}), screen=screen, tracker=MemoryTracker())


def without_dropout(pipeline: Pipeline) -> Pipeline:
    """Return the pipeline as everybody computes it alike: each draws masks of its own."""
    if not getattr(pipeline.backbone, "dropout", 0):
        return pipeline
    backbone = pipeline.backbone.model_copy(update={"dropout": 0.0})
    return pipeline.model_copy(update={"backbone": backbone})


def measure(
    case: str,
    pipeline: Pipeline,
    rounds: int,
    iterations: int,
    clock: str,
    warm_up: int = WARM_UP,
    *,
    leave_out: Collection[str] = (),
) -> dict[str, Any]:
    """Run one case and return its figures, in milliseconds per iteration; ``iterations`` = 0 makes rounds of 0.3 s."""
    device, alike = find_device(pipeline.run.device), without_dropout(pipeline)
    first = None if alike is pipeline else hold(alike, device, 1, 1, clock, compare=True)[0]
    race, parts = hold(
        pipeline, device, rounds + warm_up, iterations, clock, compare=first is None, leave_out=leave_out
    )
    planned = forecast(pipeline, parts.routing, parts.subsets.group_of, parts.costs, pipeline.seeds[0], device)
    times = {name: [1e3 * second for second in seconds[warm_up:]] for name, seconds in race.times.items()}
    loops = [name for name in times if name.startswith("bare")]
    return {
        **described(case, pipeline, race, clock),
        "batches_per_chunk": parts.batches_per_chunk,
        "deviation_of_first_losses": (first or race).deviation,
        "multiply_adds": {"trainer": planned.multiply_adds, "bare loop": planned.without_sharing},
        "milliseconds": {name: summary(values) for name, values in times.items()},
        "trainer_over": {name: ratio(times["trainer"], times[name]) for name in loops},
        "inputs_per_iteration": race.inputs[warm_up:],
        "rounds": times,
    }


def described(case: str, pipeline: Pipeline, race: Race, clock: str) -> dict[str, Any]:
    """Say what raced, and how."""
    return {
        "case": case,
        "data": pipeline.data.kind,
        "backbone": pipeline.backbone.model_dump(),
        "batch_size": pipeline.optim.batch_size,
        "students": pipeline.method.students,
        "device": str(find_device(pipeline.run.device)),
        "threads": race.threads,
        "clock": clock,
        "iterations_per_round": race.iterations,
    }


def make_clock(kind: str, device: torch.device) -> Callable[[], float]:
    """Return wall-clock seconds, or those this process computed; a GPU is waited for."""
    seconds = time.perf_counter if kind == "wall" else time.process_time
    if device.type != "cuda":
        return seconds

    def clock() -> float:
        torch.cuda.synchronize(device)
        return seconds()

    return clock
