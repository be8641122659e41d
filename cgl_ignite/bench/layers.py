"""Layers alone: how many seconds a row costs each of them at the batch size where it is fastest."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

import torch
from torch import Tensor, nn

from cgl_ignite.backbones.base import LayerBuilder
from cgl_ignite.pool.cost import LayerCost
from cgl_ignite.pool.precision import lowered
from cgl_ignite.seeding import global_stream

__all__ = ["LoneLayer", "Seconds", "lone_layers"]

Clock = Callable[[], float]

DOUBLINGS = 4
"""Batch sizes are tried up to 2⁴ times that of the pipeline ..."""
CPU_BYTES, GPU_BYTES = 256 * 2**20, 2 * 2**30
"""... as long as what a layer reads and keeps fits into this ..."""
LONGEST = 0.5
"""... and a run does not take longer than this many seconds."""
TRIALS = 3
SHORTEST = 2e-3
"""Seconds that a timing lasts at least: short runs are repeated."""


@dataclass(frozen=True)
class Seconds:
    """What one row costs a layer: the forward pass without a gradient, and forward and backward together."""

    forward: float
    both: float


@dataclass
class LoneLayer:
    """One module of a layer with real inputs, by itself.

    Attributes:
        module: as PyTorch has it, in training mode.
        inputs: as many rows as were tried at most.
        cost: per row.
        first: whether no gradient of the inputs is wanted.
        rows: batch size of the fastest run, without and with gradient.
        repeats: how often such a run is done in a timing.
    """

    module: nn.Module
    inputs: Tensor
    cost: LayerCost
    precision: torch.dtype
    first: bool
    rows: dict[bool, int] = field(default_factory=dict)
    repeats: dict[bool, int] = field(default_factory=dict)

    def time(self, clock: Clock) -> Seconds:
        """Time both kinds of runs once, at their best batch sizes."""
        forward, both = (self._seconds(gradient, self.rows[gradient], clock) for gradient in (False, True))
        return Seconds(forward, both)

    def search(self, batch_size: int, clock: Clock) -> None:
        """Find the batch sizes at which a row takes the least time."""
        for gradient in (False, True):
            rows, found = batch_size, dict[int, float]()
            while rows <= len(self.inputs):
                self.repeats[gradient] = 1
                once = self._seconds(gradient, rows, clock) * rows
                self.repeats[gradient] = math.ceil(SHORTEST / max(once, SHORTEST / 100))
                found[rows] = median(self._seconds(gradient, rows, clock) for _ in range(TRIALS))
                rows = rows * 2 if found[rows] * rows <= LONGEST else len(self.inputs) + 1
            best = self.rows[gradient] = min(found, key=lambda rows: found[rows])
            self.repeats[gradient] = math.ceil(SHORTEST / max(found[best] * best, SHORTEST / 100))
        self.inputs = self.inputs[: max(self.rows.values())].clone(memory_format=torch.preserve_format)

    def _seconds(self, gradient: bool, rows: int, clock: Clock) -> float:
        """Tell the seconds of a row."""
        learns = gradient and not self.first
        inputs = self.inputs[:rows].detach().requires_grad_(learns)
        result = self._run(inputs, gradient)
        slope = torch.ones_like(result)
        since = clock()
        for _ in range(self.repeats[gradient]):
            result = self._run(inputs, gradient)
            if result.requires_grad:
                result.backward(slope)
                inputs.grad = None
                self.module.zero_grad(set_to_none=True)
        return (clock() - since) / self.repeats[gradient] / rows

    def _run(self, inputs: Tensor, gradient: bool) -> Tensor:
        with torch.set_grad_enabled(gradient), lowered(self.precision, inputs.device):
            result: Tensor = self.module(inputs)
        return result


def lone_layers(
    builders: Sequence[LayerBuilder],
    costs: Sequence[LayerCost],
    inputs: Tensor,
    batch_size: int,
    precision: torch.dtype,
    clock: Clock,
) -> Iterator[LoneLayer]:
    """Build one module of each layer and find the batch size at which it is fastest.

    Args:
        builders: of the layers of a student.
        costs: of these layers, for inputs such as these.
        inputs: rows of a real batch; they are repeated where larger batches are tried.
        batch_size: rows of one student in one iteration, the smallest batch that is tried.
        precision: of the layers' arithmetic.
        clock: tells the seconds.
    """
    sizes = [batch_size * 2**doubling for doubling in range(DOUBLINGS + 1)]
    room = GPU_BYTES if inputs.device.type == "cuda" else CPU_BYTES
    most = max([batch_size, *(rows for rows in sizes if rows * max(cost.kept for cost in costs) <= room)])
    values = torch.cat([inputs] * math.ceil(most / len(inputs)))[:most]
    for number, (builder, cost) in enumerate(zip(builders, costs, strict=True)):
        with global_stream(0, "probe", number):
            module = builder().train().to(values.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        layer = LoneLayer(module, values, cost, precision, first=number == 0)
        with torch.no_grad(), lowered(precision, values.device):
            values = module(values)
        layer.search(batch_size, clock)
        yield layer
