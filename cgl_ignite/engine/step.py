"""The one training step, whatever the method."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from ignite.engine import Engine
from torch import Tensor, nn
from torch.optim import Optimizer

from cgl_ignite.config.schema import Loss
from cgl_ignite.data import Batch
from cgl_ignite.handlers.state import StudentLosses, state_of
from cgl_ignite.imitation import Evidence, imitation_units
from cgl_ignite.objective import MIXES, batch_mean, cross_entropy, teacher_logits
from cgl_ignite.pool import ModularNetwork, padded, plan_forward

__all__ = ["CollaborativeStep"]


class CollaborativeStep:
    r"""Run the units of an iteration, sum the losses of all students, update once (Eq. 6).

    .. math::
        L = \sum_k \left( \beta \, L_{ce}^k + \gamma \, \varphi(t) \, L_{kl}^k
            + \frac{\tau}{K} \, L_{ce}(z_t^k) \right)

    with β = ``label_weight``, γ = ``imitation_weight`` (both 1 in Eq. 6) and τ = ``teacher_label_weight`` (0 there, 1
    in ONE). Batches of different students are independent, so the sum is worked off in chunks of batches: forward and
    backward per chunk, gradients added up, one optimizer step.

    Args:
        pool: the modular network with its students established.
        weigher: turns evidence into weights of imitation (:mod:`cgl_ignite.imitation.weigh`).
        optimizer: over all parameters of both.
        reads: for each student, the data group it learns from.
        loss: its constants.
        batches_per_chunk: how many batches go through the pool together.
    """

    def __init__(
        self,
        pool: ModularNetwork,
        weigher: nn.Module,
        optimizer: Optimizer,
        reads: Sequence[int],
        loss: Loss,
        batches_per_chunk: int,
    ) -> None:
        self.pool = pool
        self.weigher = weigher
        self.optimizer = optimizer
        self.reads = reads
        self.loss = loss
        self.batches_per_chunk = batches_per_chunk

    def __call__(self, engine: Engine, batch: Batch) -> StudentLosses:
        """Train one iteration; reads ``state.imitated``, ``state.ramp`` and ``state.iteration``."""
        if not self.pool.training:
            self.pool.train()
        self.optimizer.zero_grad(set_to_none=True)
        state, constants = state_of(engine), self.loss
        zero = torch.zeros((), device=batch.targets.device)
        parts = [(zero, zero)] * len(self.reads)
        for groups in self._chunks(batch):
            learners = [k for group in groups for k, read in enumerate(self.reads) if read == group]
            ce, kl, teacher_ce = self._losses(batch, groups, learners, state.imitated, state.iteration)
            imitation = constants.imitation_weight * state.ramp * kl
            teachers = constants.teacher_label_weight / len(self.reads) * teacher_ce
            (constants.label_weight * ce + imitation + teachers).sum().backward()
            for student, *losses in zip(learners, ce.detach(), kl.detach(), strict=True):
                parts[student] = (losses[0], losses[1])
        self.optimizer.step()
        sizes = tuple(batch.sizes[group] for group in self.reads)
        ce, kl = (torch.stack(values) for values in zip(*parts, strict=True))
        return StudentLosses(ce, kl, sizes)

    def _chunks(self, batch: Batch) -> Iterator[list[int]]:
        active = [group for group, size in enumerate(batch.sizes) if size]
        for start in range(0, len(active), self.batches_per_chunk):
            yield active[start : start + self.batches_per_chunk]

    def _losses(
        self, batch: Batch, groups: list[int], learners: list[int], imitated: Tensor, iteration: int
    ) -> tuple[Tensor, Tensor, Tensor | float]:
        """Return cross-entropy and divergence of each learner, and the cross-entropy of its teacher."""
        units = imitation_units(groups, self.reads, imitated.tolist(), gradient=self.loss.imitated_learn)
        plan = plan_forward(self.pool.routes, units, training=True)
        inputs, labels = batch.inputs.split(batch.sizes), batch.targets.split(batch.sizes)
        divide = self.loss.trunk_gradient == "mean"
        output = self.pool([inputs[group] for group in groups], plan, iteration, groups, divide)
        batches = [groups.index(self.reads[k]) for k in learners]
        sizes = tuple(batch.sizes[self.reads[k]] for k in learners)
        own = padded([output.logits[plan.outputs[place]] for place in zip(learners, batches, strict=True)])
        targets = padded([labels[self.reads[k]] for k in learners])
        ce = batch_mean(cross_entropy(own, targets), sizes)
        taught = imitated[learners].any(dim=1)
        if not taught.any():
            return ce, torch.zeros_like(ce), 0.0
        evidence = Evidence(plan, output, learners, batches, imitated[learners])
        kl, teacher_ce = self._imitate(evidence, own, targets)
        mask = taught.to(ce, non_blocking=True)
        return ce, batch_mean(kl, sizes) * mask, batch_mean(teacher_ce, sizes) * mask

    def _imitate(self, evidence: Evidence, own: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return each sample's divergence from its teacher, and the teacher's cross-entropy."""
        loss, logits = self.loss, padded(evidence.output.logits)
        weights = self.weigher(evidence).to(logits, non_blocking=True)
        teacher_ce = torch.zeros_like(own[..., 0])
        if loss.teacher_label_weight:
            teacher_ce = cross_entropy(teacher_logits(weights, logits), targets)
        kept = weights.detach() if loss.teacher_gradient == "stopped" else weights
        mixed = logits if loss.teacher_gradient == "flows" else logits.detach()
        return MIXES[loss.mixes](kept, mixed, own, loss.temperature, loss.temperature_squared), teacher_ce
