"""All students of a run as one classifier: how good it is, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from cgl_ignite.analysis.ensemble import EnsembleScores, ensemble_scores
from cgl_ignite.data import Examples, evaluation_batches
from cgl_ignite.engine.evaluate import ROWS, pool_logits
from cgl_ignite.pool import modular_layers
from cgl_ignite.pool.cost import measure_layers, plan_cost
from cgl_ignite.runs import RunFiles, design_of, rebuild_pool
from cgl_ignite.student.score import finite
from cgl_ignite.tasks import task_of

__all__ = ["MeasuredEnsemble", "measure_ensemble"]


@dataclass(frozen=True)
class MeasuredEnsemble:
    """The ensemble of a run.

    Attributes:
        scores: its accuracy and cross-entropy, and those of its students.
        multiply_adds: of one input through all students, shared prefixes once.
        multiply_adds_student: of one input through one student.
    """

    scores: EnsembleScores
    multiply_adds: int
    multiply_adds_student: int

    @property
    def cost(self) -> float:
        """How many times the multiply-adds of one student the ensemble takes."""
        return self.multiply_adds / self.multiply_adds_student


def measure_ensemble(run: RunFiles, examples: Examples, device: torch.device | str = "cpu") -> MeasuredEnsemble:
    """Measure all students of a run at the selected epoch, in one planned pass over labelled examples.

    Raises:
        InputError: no epoch has been judged yet, parts that are not registered here, or damaged weights.
    """
    pool = rebuild_pool(run)
    pool.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def answered() -> Iterator[tuple[Tensor, Tensor]]:
        for batch in evaluation_batches(examples, run.normaliser, ROWS, device):
            yield finite(pool_logits(pool, batch.inputs)), batch.targets

    pipeline, backbone, _ = design_of(run)
    task = task_of(pipeline.data.kind, pipeline.data.options)
    scores = ensemble_scores(answered(), run.selected[1], task)
    costs = measure_layers(modular_layers(backbone), run.spec)
    return MeasuredEnsemble(
        scores=scores,
        multiply_adds=plan_cost(pool.routes.evaluation, costs, [1]).multiply_adds,
        multiply_adds_student=sum(layer.forward for layer in costs),
    )
