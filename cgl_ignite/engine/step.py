"""The one training step, whatever the method."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from ignite.engine import Engine
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.optim import Optimizer

from cgl_ignite.config.schema import Method
from cgl_ignite.data import Batch
from cgl_ignite.handlers.state import StudentLosses, state_of
from cgl_ignite.imitation import Choice, imitation_units, imitation_weights
from cgl_ignite.objective import batch_mean, cross_entropy, imitation_kl, teacher_logits
from cgl_ignite.pool import ModularNetwork, Plan, plan_forward

__all__ = ["CollaborativeStep"]


class CollaborativeStep:
    r"""Run the units of an iteration, sum the losses of all students, update once (Eq. 6).

    .. math:: L = \sum_k \left( L_{ce}^k + \varphi(t) \, L_{kl}^k \right)

    Batches of different students are independent, so the sum is worked off in chunks of batches: forward and backward
    per chunk, gradients added up, one optimizer step.

    Args:
        pool: the modular network with its students established.
        optimizer: over all parameters of the pool.
        reads: for each student, the data group it learns from.
        method: constants of the loss.
        choice: how sub-groups are chosen; its expected size is the literal divisor of Eq. 5.
        batches_per_chunk: how many batches go through the pool together.
    """

    def __init__(
        self,
        pool: ModularNetwork,
        optimizer: Optimizer,
        reads: Sequence[int],
        method: Method,
        choice: Choice,
        batches_per_chunk: int,
    ) -> None:
        self.pool = pool
        self.optimizer = optimizer
        self.reads = reads
        self.loss = method.loss
        self.divisor = method.divisor
        self.choice = choice
        self.batches_per_chunk = batches_per_chunk

    def __call__(self, engine: Engine, batch: Batch) -> StudentLosses:
        """Train one iteration; reads ``state.imitated``, ``state.ramp`` and ``state.iteration``."""
        if not self.pool.training:
            self.pool.train()
        self.optimizer.zero_grad(set_to_none=True)
        state = state_of(engine)
        zero = batch.inputs.new_zeros(())
        parts = [(zero, zero)] * len(self.reads)
        for groups in self._chunks(batch):
            learners = [k for group in groups for k, read in enumerate(self.reads) if read == group]
            ce, kl = self._losses(batch, groups, learners, state.imitated, state.iteration)
            weight = self.loss.imitation_weight * state.ramp
            (self.loss.label_weight * ce + weight * kl).sum().backward()
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
    ) -> tuple[Tensor, Tensor]:
        flows = self.loss.teacher_gradient == "flows"
        units = imitation_units(groups, self.reads, imitated.tolist(), gradient=flows)
        plan = plan_forward(self.pool.routes, units, training=True)
        inputs, labels = batch.inputs.split(batch.sizes), batch.targets.split(batch.sizes)
        nodes = self.pool([inputs[group] for group in groups], plan, iteration, groups)
        sizes = tuple(batch.sizes[self.reads[k]] for k in learners)

        own = padded([nodes[plan.outputs[k, groups.index(self.reads[k])]] for k in learners])
        targets = padded([labels[self.reads[k]] for k in learners])
        ce = batch_mean(cross_entropy(own, targets), sizes)
        taught = imitated[learners].any(dim=1)
        if not taught.any():
            return ce, torch.zeros_like(ce)

        logits = padded(nodes)
        weights = self._unit_weights(plan, groups, learners, imitated).to(logits, non_blocking=True)
        teacher = teacher_logits(weights, logits if flows else logits.detach())
        divergence = imitation_kl(teacher, own, self.loss.temperature, self.loss.temperature_squared)
        return ce, batch_mean(divergence, sizes) * taught.to(ce, non_blocking=True)

    def _unit_weights(self, plan: Plan, groups: list[int], learners: list[int], imitated: Tensor) -> Tensor:
        weights = imitation_weights(imitated, self.divisor, self.choice.expected)
        table = weights.new_zeros(len(learners), plan.nodes)
        for row, student in enumerate(learners):
            members = imitated[student].nonzero().flatten().tolist()
            nodes = torch.tensor(plan.rows(members, groups.index(self.reads[student])), dtype=torch.int64)
            table[row].index_add_(0, nodes, weights[student, members])
        return table


def padded(rows: Sequence[Tensor]) -> Tensor:
    """Stack tensors, the shorter ones filled up with zeros at their ends."""
    if len({len(values) for values in rows}) > 1:
        return pad_sequence(list(rows), batch_first=True)
    return torch.stack(list(rows))
