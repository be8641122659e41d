"""Pools trained for two steps, their students, and the cards of these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from ignite.engine import Engine, State

from cgl_ignite.backbones import BACKBONES, channel_means
from cgl_ignite.config.schema import Loss
from cgl_ignite.data import Batch, Normaliser
from cgl_ignite.engine.step import CollaborativeStep
from cgl_ignite.imitation import View
from cgl_ignite.imitation.aggregate import Mean
from cgl_ignite.imitation.choose import others
from cgl_ignite.pool import ModularNetwork, modular_layers
from cgl_ignite.spec import InputSpec
from cgl_ignite.student import Card, Student

CLASSES = 10
PATHS = {"module": [[0, 1, 0, 1], [1, 1, 0, 0], [0, 1, 1, 1]]}
PATHS["student"] = [[*path, student] for student, path in enumerate(PATHS["module"])]
PATHS["shared"] = [[*path, 0] for path in PATHS["module"]]


@dataclass(frozen=True)
class Trained:
    """A pool after two steps, with what a checkpoint says about it."""

    pool: ModularNetwork
    normaliser: Normaliser
    facts: dict[str, Any]

    def student(self, index: int) -> Student:
        return Student.of(self.pool, index, self.normaliser)

    def card(self, index: int, **changes: Any) -> Card:
        card = Card.of(self.facts, student=index, epoch=3, holdout_accuracy=61.5, test_accuracy=None)
        return card.model_copy(update=changes)


def train(shape: tuple[int, int, int], classifier: str = "module") -> Trained:
    """Train three students of a small residual network for two steps on noise."""
    channels = shape[0]
    normaliser = Normaliser(torch.linspace(0.4, 0.5, channels), torch.linspace(0.2, 0.3, channels))
    backbone = BACKBONES.get("resnet8")(InputSpec("image", shape), CLASSES, width=4)
    paths = torch.tensor(PATHS[classifier])
    pool = ModularNetwork(modular_layers(backbone), (paths.amax(0) + 1).tolist(), seed=5)
    pool.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    pool.route(paths, group_of=[0, 1, 2])
    optimizer = torch.optim.SGD(pool.parameters(), 0.1)
    step = CollaborativeStep(pool, Mean(3, others(3), View(channel_means, None, 16)), optimizer, (0, 1, 2), Loss(), 3)
    engine, generator = Engine(step), torch.Generator().manual_seed(1)
    imitated = torch.ones(3, 3, dtype=torch.bool).fill_diagonal_(False)
    for iteration in (1, 2):
        inputs = normaliser(torch.randint(256, (12, *shape), generator=generator, dtype=torch.uint8))
        batch = Batch(inputs, torch.randint(CLASSES, (12,), generator=generator), (4, 4, 4))
        engine.state = State(imitated=imitated, ramp=0.5, iteration=iteration)
        step(engine, batch)
    tree = {
        "plugins": [],
        "data": {"kind": "digits", "holdout": 100, "limit": 600, "augment": {"kind": "none"}},
        "backbone": {"kind": "resnet8", "width": 4},
        "method": {"preset": "cgl", "students": 3, "classifier": classifier},
    }
    facts = {
        "pipeline": tree,
        "seed": 5,
        "run_id": "a1b2c3",
        "fingerprint": "0123456789ab",
        "classes": [str(digit) for digit in range(CLASSES)],
        "modality": "image",
        "shape": list(shape),
    }
    return Trained(pool, normaliser, facts)


@pytest.fixture(scope="session")
def trained() -> Trained:
    """Digits in grey."""
    return train((1, 8, 8))


@pytest.fixture(scope="session")
def train_pool() -> Callable[..., Trained]:
    return train
