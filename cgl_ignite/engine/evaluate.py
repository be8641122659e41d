"""Scores of all students on a split, in one pass over its samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from ignite.engine import Engine
from ignite.engine.events import State
from ignite.handlers import EpochOutputStore
from torch import Tensor

from cgl_ignite.data import Batch, Examples, Normaliser, PadTokens, evaluation_batches, evaluation_order
from cgl_ignite.handlers.state import Scores
from cgl_ignite.metrics import mean_diversity, measure_predictions
from cgl_ignite.metrics.averages import student_metrics
from cgl_ignite.pool import ModularNetwork
from cgl_ignite.tasks import SINGLE_LABEL, Task

__all__ = ["build_evaluator", "evaluate", "pool_logits"]

ROWS = 128
PREDICTED, ANSWERED = "predicted", "answered"


def pool_logits(pool: ModularNetwork, inputs: Tensor) -> Tensor:
    """Run every student on one batch. Shape: inputs (B, ...), result (K, B, C)."""
    plan = pool.routes.evaluation
    pool.eval()
    with torch.no_grad():
        nodes = pool([inputs], plan)
    return torch.stack([nodes.logits[row] for row in plan.rows(range(pool.routes.students), 0)])


def build_evaluator(
    pool: ModularNetwork,
    device: torch.device,
    *,
    answers: bool = False,
    computed: bool = False,
    task: Task = SINGLE_LABEL,
) -> Engine:
    """Build an engine that runs all students; every registered metric, and what is predicted, stay on the device.

    With ``answers`` the logits stay there as well. With ``computed`` the batches hold logits in the place of inputs.
    """
    compute: Callable[[Tensor], Tensor] = (lambda logits: logits) if computed else partial(pool_logits, pool)
    evaluator = Engine(lambda _, batch: (compute(batch.inputs), batch.targets))
    EpochOutputStore(lambda output: task.decide(output[0])).attach(evaluator, PREDICTED)
    if answers:
        EpochOutputStore().attach(evaluator, ANSWERED)
    for name, metric in student_metrics(device, task.scores).items():
        metric.attach(evaluator, name)
    return evaluator


def evaluate(
    evaluator: Engine,
    examples: Examples,
    normaliser: Normaliser | PadTokens,
    device: torch.device,
    metrics: Sequence[str] = (),
    task: Task = SINGLE_LABEL,
    divide: Callable[[Iterator[Batch]], Iterator[Batch]] | None = None,
) -> Scores:
    """Score all students on all samples of a split; ``metrics`` names those of the predictions, which need answers.

    ``divide`` turns batches into those with logits that an evaluator of ``computed`` batches reads.

    Raises:
        InputError: a metric that fails.
    """
    batches = evaluation_batches(examples, normaliser, ROWS, device)
    batches = batches if divide is None else divide(batches)
    state = evaluator.run(batches, epoch_length=math.ceil(len(examples) / ROWS))
    decided = torch.cat(getattr(state, PREDICTED), dim=1).cpu()[:, evaluation_order(examples).argsort()]
    coded = task.code(decided, examples.labels.cpu())
    values = {name: torch.as_tensor(value).cpu() for name, value in state.metrics.items()}
    pairwise = values.pop("diversity")
    measured = _of_predictions(state, metrics, task.probabilities)
    return Scores(
        accuracy=values.pop("accuracy").tolist(),
        cross_entropy=values.pop("cross_entropy").tolist(),
        diversity=mean_diversity(pairwise),
        pairwise=pairwise.tolist(),
        more={
            **{name: value.tolist() for name, value in values.items()},
            **{name: value.tolist() for name, value in measured.items() if value.dim() == 1},
        },
        per_class={name: value.tolist() for name, value in measured.items() if value.dim() == 2},
        predicted=coded.predicted,
        targets=coded.targets,
        label_sets=coded.label_sets,
    )


def _of_predictions(
    state: State, metrics: Sequence[str], probabilities_of: Callable[[Tensor], Tensor]
) -> dict[str, Tensor]:
    """Measure the logits that an evaluation has kept."""
    if not metrics:
        return {}
    logits, targets = zip(*getattr(state, ANSWERED), strict=True)
    found = measure_predictions(torch.cat(logits, dim=1), torch.cat(targets), metrics, probabilities_of)
    return {name: value.cpu() for name, value in found.items()}
