from __future__ import annotations

import pytest
import torch
from ignite.engine import Engine

from cgl_ignite.metrics import METRICS
from cgl_ignite.metrics.averages import student_metrics

CPU = torch.device("cpu")
LOGITS = torch.randn(3, 10, 4, generator=torch.Generator().manual_seed(1))
TARGETS = torch.arange(10) % 4


def averages(*sizes: int) -> dict[str, torch.Tensor]:
    """Run all metrics over the ten samples in batches of these sizes."""
    engine = Engine(lambda _, batch: batch)
    for name, metric in student_metrics(CPU).items():
        metric.attach(engine, name)
    batches = list(zip(LOGITS.split(sizes, dim=1), TARGETS.split(sizes), strict=True))
    state = engine.run(batches)
    return {name: torch.as_tensor(value) for name, value in state.metrics.items()}


@pytest.mark.parametrize("sizes", [(10,), (4, 4, 2), (1, 9)])
def test_every_sample_counts_the_same_whatever_its_batch(sizes: tuple[int, ...]) -> None:
    found = averages(*sizes)
    assert found.keys() == set(METRICS.kinds())
    for kind in METRICS.kinds():
        expected = METRICS.get(kind)(LOGITS, TARGETS).double().mean(dim=0)
        torch.testing.assert_close(found[kind].double(), expected)


@pytest.mark.parametrize("kind", METRICS.kinds())
def test_a_metric_has_one_value_or_array_per_sample(kind: str) -> None:
    values = METRICS.get(kind)(LOGITS, TARGETS)
    assert len(values) == 10
    for row in range(10):
        alone = METRICS.get(kind)(LOGITS[:, row : row + 1], TARGETS[row : row + 1])
        torch.testing.assert_close(values[row : row + 1], alone)


def test_a_metric_starts_anew_with_every_split() -> None:
    engine = Engine(lambda _, batch: batch)
    student_metrics(CPU)["accuracy"].attach(engine, "accuracy")
    hits = torch.nn.functional.one_hot(TARGETS, 4).float().expand(3, -1, -1)
    assert engine.run([(hits, TARGETS)]).metrics["accuracy"].tolist() == [100.0] * 3
    assert engine.run([(-hits, TARGETS)]).metrics["accuracy"].tolist() == [0.0] * 3


def test_registered_kinds() -> None:
    assert {"diversity", "accuracy", "cross_entropy"} <= set(METRICS.kinds())
