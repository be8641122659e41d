"""The package's side: a preset, the parts made of it, and steps on batches of our own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events, State
from torch import Tensor, nn

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.data import DATASETS, Batch
from cgl_ignite.engine.step import CollaborativeStep
from cgl_ignite.engine.trainer import Handler, build_trainer
from cgl_ignite.handlers.interruption import Interruption
from cgl_ignite.handlers.paths import PathSampler
from cgl_ignite.handlers.ramp import RampUp
from cgl_ignite.handlers.state import StudentLosses
from cgl_ignite.handlers.subgroups import SubgroupResampler
from cgl_ignite.pipeline.assemble import Parts, assemble, build_step
from cgl_ignite.pipeline.data import RunData
from cgl_ignite.seeding import stream
from tests.equivalence.methods.networks import POSITIONS, TOKENS

CPU = torch.device("cpu")
EPOCHS = 15
"""80 of 300 epochs are 4 of these, and 20 % are 3."""

PARTS: dict[str, dict[str, Any]] = {
    "image": {"data": {"kind": "digits", "holdout": 20, "limit": 80}, "backbone": {"kind": "resnet8", "width": 4}},
    "text": {
        "data": {"kind": "toy_tokens", "holdout": 20, "encoding": {"kind": "toy_ids"}},
        "backbone": {"kind": "toy_transformer"},
    },
}
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"kind": "sgd", "learning_rate": 0.05},
    "adam": {"kind": "adam", "learning_rate": 0.01},
}


def pipeline_of(preset: str, task: str = "image", optimizer: str = "sgd", changes: Sequence[str] = ()) -> Pipeline:
    optim = {**OPTIMIZERS[optimizer], "batch_size": 6}
    tables = {"method": {"preset": preset}, "optim": optim, "run": {"epochs": EPOCHS, "device": "cpu"}}
    return load_pipeline({**PARTS[task], **tables}, changes)


@dataclass(frozen=True)
class World:
    """One run's pipeline and parts in float64, weights away from their beginnings."""

    pipeline: Pipeline
    parts: Parts

    @property
    def pool(self) -> nn.Module:
        return self.parts.pool

    @property
    def aggregator(self) -> nn.Module:
        return self.parts.aggregator

    @property
    def parameters(self) -> list[nn.Parameter]:
        return [*self.pool.parameters(), *self.aggregator.parameters()]

    def batch(self, number: int = 0) -> Batch:
        """Make random rows and labels: six of one group, fewer of some of many, and none of one of them."""
        generator = torch.Generator().manual_seed(number)
        groups = max(self.parts.subsets.group_of) + 1
        uneven = (0 if group == number % groups else 6 - (number + group) % 3 for group in range(groups))
        sizes = (6,) if groups == 1 else tuple(uneven)
        count, classes = sum(sizes), len(self.parts.splits.classes)
        labels = torch.randint(classes, (count,), generator=generator)
        if self.pipeline.data.kind == "digits":
            return Batch(torch.randn(count, 1, 8, 8, generator=generator, dtype=torch.float64), labels, sizes)
        return Batch(torch.randint(TOKENS, (count, POSITIONS), generator=generator), labels, sizes)

    def step(self) -> CollaborativeStep:
        return build_step(self.pipeline, self.parts)

    def once(self, batch: Batch, imitated: Tensor | None = None, ramp: float = 1.0) -> StudentLosses:
        """Take one step from the weights as they are; gradients stay."""
        method, parts = self.pipeline.method, self.parts
        parts.pool.route(parts.routing.sample(stream(1, "paths")), parts.subsets.group_of, method.statistics)
        drawn = parts.choice.at(1, 1) if imitated is None else imitated
        step = self.step()
        engine = Engine(step)
        engine.state = State(imitated=drawn, ramp=ramp, iteration=1)
        return step(engine, batch)

    def train(self, batches: Sequence[Batch], watch: Callable[[Engine], None] = lambda engine: None) -> Engine:
        """Train an epoch a batch, and have a look after each."""
        method, parts = self.pipeline.method, self.parts
        handlers: list[Handler] = [
            PathSampler(parts.pool, parts.routing, parts.subsets.group_of, method.statistics, seed=1),
            RampUp(method.ramp, self.pipeline.run.epochs),
            SubgroupResampler(parts.choice, seed=1),
        ]
        trainer = build_trainer(self.step(), handlers)
        trainer.add_event_handler(Events.ITERATION_COMPLETED, watch)
        trainer.run(batches, max_epochs=len(batches), epoch_length=1)
        return trainer


def build(preset: str, task: str = "image", optimizer: str = "sgd", changes: Sequence[str] = ()) -> World:
    pipeline = pipeline_of(preset, task, optimizer, changes)
    data = RunData(DATASETS.build(pipeline.data, Path()), pipeline.data)
    parts = assemble(pipeline, data, seed=1, device=CPU, interruption=Interruption())
    generator = torch.Generator().manual_seed(7)
    for module in (parts.pool, parts.aggregator):
        module.double()
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64), alpha=0.2)
    return World(pipeline, parts)


def gradient(parameter: Tensor) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
