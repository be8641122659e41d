"""What one would write by hand instead: plain PyTorch loops with the mathematics of the trainer and nothing around it.

They take batches, sub-groups and initial weights from the package, so that every loss must come out the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from cgl_ignite.config.schema import Pipeline
from cgl_ignite.data import Batches, Splits
from cgl_ignite.imitation import Choice
from cgl_ignite.pipeline.assemble import Parts, blueprint
from cgl_ignite.pipeline.device import find_precision
from cgl_ignite.pool import Routing, follow, modular_layers
from cgl_ignite.seeding import global_stream, stream

__all__ = ["Given", "loop_over_students", "plain_network"]

Losses = tuple[Tensor, Tensor]


class Given(NamedTuple):
    """What the loops take from the package."""

    splits: Splits
    batches: Batches
    routing: Routing
    choice: Choice

    @classmethod
    def of(cls, parts: Parts) -> Given:
        """Take it from the parts of a run, and nothing else."""
        return cls(parts.splits, parts.batches, parts.routing, parts.choice)


def plain_network(
    pipeline: Pipeline,
    given: Given,
    seed: int,
    device: torch.device,
    *,
    length: int | None = None,
    compiled: bool = False,
) -> Iterator[Losses]:
    """Train one ordinary network; every ``next`` is an iteration and gives its cross-entropy (1,) and a zero (1,).

    Args:
        pipeline: the setting.
        given: where the batches come from.
        seed: the run's seed.
        device: where to train.
        length: pad every text to this many tokens; None leaves batches as long as their longest text.
        compiled: let ``torch.compile`` make the kernels.
    """
    network = nn.Sequential(*(row[0] for row in build_modules(pipeline, given, seed, device)))
    if compiled:
        network.compile()
    optimizer = torch.optim.Adam(network.parameters(), pipeline.optim.learning_rate, fused=True)
    for batch in given.batches.stream(0):
        optimizer.zero_grad(set_to_none=True)
        with arithmetic(pipeline, device):
            logits = network(filled(batch.inputs, length))
        loss = F.cross_entropy(logits.float(), batch.targets)
        loss.backward()
        optimizer.step()
        yield loss.detach().view(1), torch.zeros(1)


def loop_over_students(
    pipeline: Pipeline,
    given: Given,
    seed: int,
    device: torch.device,
    *,
    at_once: bool,
    length: int | None = None,
) -> Iterator[Losses]:
    """Train K students one after the other: own pass, imitated passes, loss (with φ = 1); one step for the sum.

    Args:
        pipeline: the setting.
        given: where batches, paths and sub-groups come from.
        seed: the run's seed.
        device: where to train.
        at_once: one backward pass through the sum of all losses, as the paper writes it; else one per student, which
            gives the same gradients and keeps only one student's graph in memory.
        length: pad every text to this many tokens; None leaves batches as long as their longest text.
    """
    students = LoopStudents(build_modules(pipeline, given, seed, device), given.routing.sample(stream(seed, "paths")))
    optimizer = torch.optim.Adam(students.parameters(), pipeline.optim.learning_rate, fused=True)
    for iteration, batch in enumerate(given.batches.stream(0), 1):
        imitated = given.choice.at(seed, iteration).tolist()
        optimizer.zero_grad(set_to_none=True)
        pieces = zip(filled(batch.inputs, length).split(batch.sizes), batch.targets.split(batch.sizes), strict=True)
        losses: list[Losses] = []
        waiting: list[Tensor] = []
        for student, (inputs, targets) in enumerate(pieces):
            if not len(targets):
                losses.append((torch.zeros((), device=device), torch.zeros((), device=device)))
                continue
            members = [other for other, chosen in enumerate(imitated[student]) if chosen]
            with arithmetic(pipeline, device):
                own, others = students.passes(student, members, inputs)
            ce, kl = losses_of(own, others, targets, pipeline.method.loss.temperature)
            (waiting.append if at_once else Tensor.backward)(ce + kl)
            losses.append((ce.detach(), kl.detach()))
        if waiting:
            torch.stack(waiting).sum().backward()
        optimizer.step()
        yield torch.stack([ce for ce, _ in losses]), torch.stack([kl for _, kl in losses])


class LoopStudents:
    """K paths through shared modules; each student has running statistics of its own, which only its own data moves."""

    def __init__(self, modules: list[list[nn.Module]], paths: Tensor) -> None:
        self.modules = modules
        self.paths = [
            [row[m] for row, m in zip(modules, follow(path, len(modules)), strict=True)] for path in paths.tolist()
        ]
        self.statistics = [
            [
                (part, part.running_mean.clone(), part.running_var.clone())  # type: ignore[union-attr]
                for module in path
                for part in module.modules()
                if isinstance(part, _BatchNorm)
            ]
            for path in self.paths
        ]

    def parameters(self) -> Iterator[nn.Parameter]:
        """Yield the parameters of every module once."""
        for row in self.modules:
            for module in row:
                yield from module.parameters()

    def logits(self, student: int, inputs: Tensor, *, own: bool) -> Tensor:
        """Run one student on one batch."""
        for norm, mean, variance in self.statistics[student]:
            norm.running_mean, norm.running_var = (mean, variance) if own else (None, None)
        for module in self.paths[student]:
            inputs = module(inputs)
        return inputs

    def passes(self, student: int, members: list[int], inputs: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the logits of a student on its own batch, and those of the students that it imitates there."""
        own = self.logits(student, inputs, own=True)
        return own, [self.logits(member, inputs, own=False) for member in members]


def losses_of(own: Tensor, imitated: list[Tensor], targets: Tensor, temperature: float) -> Losses:
    """Return cross-entropy and imitation loss of one student (Eqs. 3 and 4)."""
    own = own.float()
    ce = F.cross_entropy(own, targets)
    if not imitated:
        return ce, torch.zeros_like(ce)
    teacher = torch.stack(imitated).float().mean(dim=0)
    student_log, teacher_log = (F.log_softmax(values / temperature, dim=1) for values in (own, teacher))
    kl = F.kl_div(student_log, teacher_log, reduction="batchmean", log_target=True)
    return ce, temperature**2 * kl


def arithmetic(pipeline: Pipeline, device: torch.device) -> AbstractContextManager[Any]:
    """Let layers compute in the precision of a pipeline."""
    precision = find_precision(pipeline)
    return nullcontext() if precision == torch.float32 else torch.autocast(device.type, precision)


def filled(inputs: Tensor, length: int | None) -> Tensor:
    """Pad token ids to a length. Shape: (B, T) to (B, length)."""
    return inputs if length is None else F.pad(inputs, (0, length - inputs.shape[1]))


def build_modules(pipeline: Pipeline, given: Given, seed: int, device: torch.device) -> list[list[nn.Module]]:
    """Build the modules of every layer, with the initial weights that a pool of this seed has."""
    backbone, routing = blueprint(pipeline, given.splits.spec, len(given.splits.classes))
    layers = modular_layers(backbone)
    rows = []
    for layer, (builder, count) in enumerate(zip(layers, follow(routing.modules, len(layers)), strict=True)):
        row = []
        for module in range(count):
            with global_stream(seed, "initialisation", layer, module):
                built = builder().train()
                row.append(built.to(device, memory_format=torch.channels_last))  # type: ignore[call-overload]
        rows.append(row)
    return rows
