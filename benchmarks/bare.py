"""What one would write by hand instead: plain PyTorch loops with the mathematics of the trainer and nothing around it.

They take batches, sub-groups and initial weights from the package, so that every loss must come out the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cgl_ignite.config.schema import Pipeline
from cgl_ignite.pipeline.assemble import Parts, blueprint
from cgl_ignite.seeding import global_stream, stream

__all__ = ["loop_over_students", "plain_network"]

Losses = tuple[Tensor, Tensor]


def plain_network(pipeline: Pipeline, parts: Parts, seed: int, device: torch.device) -> Iterator[Losses]:
    """Train one ordinary network; every ``next`` is an iteration and gives its cross-entropy (1,) and a zero (1,)."""
    network = nn.Sequential(*(row[0] for row in build_modules(pipeline, parts, seed, device)))
    optimizer = torch.optim.Adam(network.parameters(), pipeline.optim.learning_rate, fused=True)
    for batch in parts.batches.stream(0):
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(network(batch.inputs), batch.targets)
        loss.backward()
        optimizer.step()
        yield loss.detach().view(1), torch.zeros(1)


def loop_over_students(
    pipeline: Pipeline, parts: Parts, seed: int, device: torch.device, *, at_once: bool
) -> Iterator[Losses]:
    """Train K students one after the other: own pass, imitated passes, loss (with φ = 1); one step for the sum.

    Args:
        pipeline: the setting.
        parts: where batches, paths and sub-groups come from.
        seed: the run's seed.
        device: where to train.
        at_once: one backward pass through the sum of all losses, as the paper writes it; else one per student, which
            gives the same gradients and keeps only one student's graph in memory.
    """
    students = Students(build_modules(pipeline, parts, seed, device), parts.routing.sample(stream(seed, "paths")))
    optimizer = torch.optim.Adam(students.parameters(), pipeline.optim.learning_rate, fused=True)
    for iteration, batch in enumerate(parts.batches.stream(0), 1):
        imitated = parts.choice.draw(stream(seed, "sub-groups", iteration)).tolist()
        optimizer.zero_grad(set_to_none=True)
        pieces = zip(batch.inputs.split(batch.sizes), batch.targets.split(batch.sizes), strict=True)
        losses, waiting = [], []
        for student, (inputs, targets) in enumerate(pieces):
            members = [other for other, chosen in enumerate(imitated[student]) if chosen]
            ce, kl = students.losses(student, members, inputs, targets, pipeline.method.loss.temperature)
            (waiting.append if at_once else torch.Tensor.backward)(ce + kl)
            losses.append((ce.detach(), kl.detach()))
        if waiting:
            torch.stack(waiting).sum().backward()
        optimizer.step()
        yield torch.stack([ce for ce, _ in losses]), torch.stack([kl for _, kl in losses])


class Students:
    """K paths through shared modules; each student has running statistics of its own, which only its own data moves."""

    def __init__(self, modules: list[list[nn.Module]], paths: Tensor) -> None:
        self.modules = modules
        self.paths = [[row[m] for row, m in zip(modules, path, strict=True)] for path in paths.tolist()]
        self.statistics = [
            [
                (part, part.running_mean.clone(), part.running_var.clone())
                for module in path
                for part in module.modules()
                if isinstance(part, nn.BatchNorm2d)
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

    def losses(self, student: int, members: list[int], inputs: Tensor, targets: Tensor, temperature: float) -> Losses:
        """Return cross-entropy and imitation loss of one student (Eqs. 3 and 4)."""
        logits = self.logits(student, inputs, own=True)
        ce = F.cross_entropy(logits, targets)
        if not members:
            return ce, torch.zeros_like(ce)
        teacher: Any = sum(self.logits(member, inputs, own=False) for member in members) / len(members)
        student_log, teacher_log = (F.log_softmax(values / temperature, dim=1) for values in (logits, teacher))
        kl = F.kl_div(student_log, teacher_log, reduction="batchmean", log_target=True)
        return ce, temperature**2 * kl


def build_modules(pipeline: Pipeline, parts: Parts, seed: int, device: torch.device) -> list[list[nn.Module]]:
    """Build the modules of every layer, with the initial weights that a pool of this seed has."""
    layers, routing = blueprint(pipeline, parts.splits.spec, len(parts.splits.classes))
    rows = []
    for layer, (builder, count) in enumerate(zip(layers, routing.modules, strict=True)):
        row = []
        for module in range(count):
            with global_stream(seed, "initialisation", layer, module):
                row.append(builder().train().to(device, memory_format=torch.channels_last))
        rows.append(row)
    return rows
