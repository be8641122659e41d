"""Scores of all students on a split, in one pass over its samples."""

from __future__ import annotations

import math

import torch
from ignite.engine import Engine
from ignite.handlers import EpochOutputStore
from torch import Tensor

from cgl_ignite.data import Examples, Normaliser, PadTokens, evaluation_batches, evaluation_order
from cgl_ignite.handlers.state import Scores
from cgl_ignite.metrics import mean_diversity
from cgl_ignite.metrics.averages import student_metrics
from cgl_ignite.pool import ModularNetwork

__all__ = ["build_evaluator", "evaluate", "pool_logits"]

ROWS = 128
PREDICTED = "predicted"


def pool_logits(pool: ModularNetwork, inputs: Tensor) -> Tensor:
    """Run every student on one batch. Shape: inputs (B, ...), result (K, B, C)."""
    plan = pool.routes.evaluation
    pool.eval()
    with torch.no_grad():
        nodes = pool([inputs], plan)
    return torch.stack([nodes.logits[row] for row in plan.rows(range(pool.routes.students), 0)])


def build_evaluator(pool: ModularNetwork, device: torch.device) -> Engine:
    """Build an engine that runs all students; every registered metric, and what is predicted, stay on the device."""
    evaluator = Engine(lambda _, batch: (pool_logits(pool, batch.inputs), batch.targets))
    EpochOutputStore(lambda output: output[0].argmax(dim=-1).to(torch.int16)).attach(evaluator, PREDICTED)
    for name, metric in student_metrics(device).items():
        metric.attach(evaluator, name)
    return evaluator


def evaluate(evaluator: Engine, examples: Examples, normaliser: Normaliser | PadTokens, device: torch.device) -> Scores:
    """Score all students on all samples of a split."""
    batches = evaluation_batches(examples, normaliser, ROWS, device)
    state = evaluator.run(batches, epoch_length=math.ceil(len(examples) / ROWS))
    metrics, predicted = state.metrics, getattr(state, PREDICTED)
    values = {name: torch.as_tensor(value).cpu() for name, value in metrics.items()}
    pairwise = values.pop("diversity")
    return Scores(
        accuracy=values.pop("accuracy").tolist(),
        cross_entropy=values.pop("cross_entropy").tolist(),
        diversity=mean_diversity(pairwise),
        pairwise=pairwise.tolist(),
        more={name: value.tolist() for name, value in values.items()},
        predicted=torch.cat(predicted, dim=1).cpu()[:, evaluation_order(examples).argsort()],
        targets=examples.targets.to("cpu", torch.int16),
    )
