"""One iteration without its surroundings: the planned passes and their backward pass, no data, no update."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import torch
from ignite.engine import Engine
from torch.nn import Parameter
from torch.optim import Optimizer

from cgl_ignite.config.schema import Pipeline
from cgl_ignite.data import Batch, Batches
from cgl_ignite.engine.step import CollaborativeStep
from cgl_ignite.handlers.interruption import Interruption
from cgl_ignite.handlers.state import state_of
from cgl_ignite.imitation import imitation_units
from cgl_ignite.pipeline.assemble import Parts, assemble
from cgl_ignite.pipeline.data import RunData, read_data
from cgl_ignite.pipeline.device import find_device
from cgl_ignite.pool import Plan, plan_forward
from cgl_ignite.pool.plan import Unit
from cgl_ignite.seeding import stream

__all__ = ["Idle", "PlannedPass", "ready", "repetitions", "typical_batch"]

PROBED_BATCHES = 9
ROUND_SECONDS = 0.3
"""What a round should take, so that neither the clock nor the patience of the user counts."""


class Idle(Optimizer):
    """Clears gradients and updates nothing."""

    def __init__(self, parameters: Iterable[Parameter]) -> None:
        super().__init__(parameters, {})

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Do nothing."""


def ready(pipeline: Pipeline, data: RunData | None = None) -> Parts:
    """Assemble the parts of a pipeline and establish the students, as its run would; data are read if not given."""
    seed, device = pipeline.seeds[0], find_device(pipeline.run.device)
    parts = assemble(pipeline, data or read_data(pipeline), seed, device, Interruption())
    paths = parts.routing.sample(stream(seed, "paths"))
    parts.pool.route(paths, parts.subsets.group_of, pipeline.method.statistics)
    return parts


def typical_batch(batches: Batches) -> Batch:
    """Return the batch of median size among the first ones of a run that have all their rows."""
    first = list(islice(batches.stream(0), PROBED_BATCHES))
    rows = max(len(batch.targets) for batch in first)
    whole = sorted((batch for batch in first if len(batch.targets) == rows), key=lambda batch: batch.inputs.numel())
    return whole[len(whole) // 2]


def repetitions(seconds: float, most: int) -> int:
    """Tell how often something is done in a round, if it takes so long once."""
    return max(1, min(most, round(ROUND_SECONDS / max(seconds, 1e-9))))


class PlannedPass:
    """The forward pass of an iteration over its plan and the backward pass of its summed loss, with φ = 1.

    Every call works on the same batch, with the sub-groups that the run draws in the iteration that is asked for.

    Args:
        pipeline: the setting.
        parts: of a run, with its students established.
        batch: what the students read.
    """

    def __init__(self, pipeline: Pipeline, parts: Parts, batch: Batch, optimizer: Optimizer | None = None) -> None:
        self.parts, self.batch, self.seed = parts, batch, pipeline.seeds[0]
        self.loss = pipeline.method.loss
        self._step = CollaborativeStep(
            parts.pool,
            parts.aggregator,
            optimizer or Idle(parts.pool.parameters()),
            parts.subsets.group_of,
            self.loss,
            parts.batches_per_chunk,
            parts.recorder,
        )
        self._engine = Engine(lambda engine, batch: None)
        state_of(self._engine).ramp = 1.0

    def __call__(self, iteration: int) -> Any:
        """Run an iteration and return its losses."""
        state = state_of(self._engine)
        state.iteration, state.imitated = iteration, self._draw(iteration)
        return self._step(self._engine, self.batch)

    def units(self, iteration: int) -> list[Unit]:
        """List the units of an iteration; their batches are numbered as the sizes of the batch are."""
        group_of, imitated = self.parts.subsets.group_of, self._draw(iteration).tolist()
        groups = range(len(self.batch.sizes))
        units = imitation_units(groups, group_of, imitated, gradient=self.loss.imitated_learn)
        return [unit for unit in units if self.batch.sizes[unit.batch]]

    def plan(self, iteration: int) -> Plan:
        """Return what runs in an iteration, all of its chunks together."""
        return plan_forward(self.parts.pool.routes, self.units(iteration), training=True)

    def _draw(self, iteration: int) -> torch.Tensor:
        return self.parts.choice.at(self.seed, iteration)
