"""The one training step, whatever the method."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import torch
from ignite.engine import Engine
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from cgl_ignite.config.schema import Loss
from cgl_ignite.data import Batch
from cgl_ignite.engine.replay import GraphRecorder, Replay, launch
from cgl_ignite.engine.work import OnDevice, Tables, Turn, Work, lay_out
from cgl_ignite.handlers.state import StudentLosses, TrainerState, state_of
from cgl_ignite.imitation import ForwardOutputs, FrozenTeachers, with_frozen
from cgl_ignite.objective import batch_mean, teacher_logits
from cgl_ignite.pool import ModularNetwork, padded
from cgl_ignite.tasks import SINGLE_LABEL, Task

if TYPE_CHECKING:
    from cgl_ignite.distributed.division import Division

__all__ = ["CollaborativeStep"]

Pass: TypeAlias = tuple[Work, ForwardOutputs]
"""What a chunk runs, and what its forward pass has left."""


class CollaborativeStep:
    r"""Run the units of an iteration, sum the losses of the students that learn together, update (Eq. 6).

    .. math::
        L = \sum_{k \in \text{turn}} \left( \beta \, L_{ce}^k + \gamma \, \varphi(t) \, L_{kl}^k
            + \frac{\tau}{K} \, L_{ce}(z_t^k) \right)

    with β = ``label_weight``, γ = ``imitation_weight`` (both 1 in Eq. 6) and τ = ``teacher_label_weight`` (0 there, 1
    in ONE). An iteration has one turn with all students, or one for each student; every turn runs its units with the
    weights that the turn before has left, and ends with one optimizer step. Batches of different students are
    independent, so the sum is worked off in chunks of batches: forward and backward per chunk, gradients added up. In
    both :math:`L_{ce}` a sample counts by the weight of its row, if rows have weights.

    Args:
        pool: the modular network with its students established.
        aggregator: turns outputs into weights of imitation (:mod:`cgl_ignite.imitation.aggregate`).
        optimizer: over all parameters of both.
        group_of: for each student, the data group it learns from.
        loss: its constants.
        batches_per_chunk: how many batches go through the pool together.
        recorder: records iterations that come again, to replay them (:mod:`cgl_ignite.engine.replay`).
        turns: the students of each turn, in the order of their numbers; by default one turn with all.
        clip_norm: the largest norm of the gradient of a turn; by default there is none.
        teachers: frozen ones, which every student imitates as well.
        class_weights: of the cross-entropy with the labels, (C,) on the device; by default all classes count alike.
        task: how rows are labelled, with the formulas of cross-entropy and divergence.
        division: the share of this process, if there are several; losses of other students are then zeros.
        portion_of: for each student, the portion with which it goes through the pool, of which a chunk holds
            ``batches_per_chunk``; by default all students that learn from one batch go through it together. Students
            of different portions imitate each other's logits without a gradient.
    """

    def __init__(
        self,
        pool: ModularNetwork,
        aggregator: nn.Module,
        optimizer: Optimizer,
        group_of: Sequence[int],
        loss: Loss,
        batches_per_chunk: int,
        recorder: GraphRecorder | None = None,
        turns: Sequence[Sequence[int]] | None = None,
        clip_norm: float | None = None,
        teachers: FrozenTeachers | None = None,
        class_weights: Tensor | None = None,
        task: Task = SINGLE_LABEL,
        division: Division | None = None,
        portion_of: Sequence[int] | None = None,
    ) -> None:
        self.pool = pool
        self.aggregator = aggregator
        self.optimizer = optimizer
        self.group_of = group_of
        self.loss = loss
        self.batches_per_chunk = batches_per_chunk
        self.turns = [range(len(group_of))] if turns is None else turns
        self.clip_norm = clip_norm
        self.teachers = teachers
        self.class_weights = class_weights
        self.task = task
        self.division = division
        self.portion_of = group_of if portion_of is None else portion_of
        self._run = Replay(recorder, optimizer) if recorder else launch
        self._separate = recorder is not None and len(set(group_of)) > 1

    def __call__(self, engine: Engine, batch: Batch) -> StudentLosses:
        """Train one iteration; reads ``state.imitated``, ``state.ramp`` and ``state.iteration``."""
        if not self.pool.training:
            self.pool.train()
        losses = [self._take(turn, state_of(engine), batch) for turn in self.turns]
        ce, kl = (torch.cat(values) for values in zip(*losses, strict=True))
        return StudentLosses(ce, kl, tuple(batch.sizes[group] for group in self.group_of))

    def _take(self, students: Sequence[int], state: TrainerState, batch: Batch) -> tuple[Tensor, ...]:
        """Let the students of a turn learn; return their losses."""
        learners = self._learners(students, batch.sizes)
        sent = () if self.division is None else self.division.sent(learners, state.imitated)
        turn = Turn(tuple(students), tuple(self._works(learners, state, batch)), batch.sizes, sent)
        tensors = turn.tensors(batch, self.loss.imitation_weight * state.ramp)
        return self._run(turn.key(batch), partial(self._train, turn, state.iteration), tensors)

    def _learners(self, students: Sequence[int], sizes: Sequence[int]) -> list[int]:
        """Return those of some students whose data group has rows left in an iteration."""
        return [k for k in students if sizes[self.group_of[k]]]

    def _works(self, learners: Sequence[int], state: TrainerState, batch: Batch) -> Iterator[Work]:
        """Divide the students that learn in a turn into chunks, and plan each of them."""
        own = learners if self.division is None else self.division.own(learners)
        portions = sorted({self.portion_of[k] for k in own})
        for start in range(0, len(portions), self.batches_per_chunk):
            chosen = portions[start : start + self.batches_per_chunk]
            yield lay_out(
                self.pool.routes,
                self.group_of,
                [k for k in own if self.portion_of[k] in chosen],
                batch.sizes,
                state.imitated,
                gradient=self.loss.imitated_learn,
                separate=self._separate,
                turn=learners,
            )

    def _train(self, turn: Turn, iteration: int, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        """Add up the gradients of the chunks and update; return cross-entropy and divergence of each student."""
        given, loss = turn.on_device(tensors), self.loss
        zero = torch.zeros((), device=given.labels[0].device)
        found = dict.fromkeys(turn.students, (zero, zero))
        self.optimizer.zero_grad(set_to_none=True)
        passes = self._passes(turn, given, iteration)
        if turn.exchanges:
            passes = self._exchanged(turn, passes)
        with self._computing():
            frozen = self._frozen_logits(turn, given)
            for work, outputs in passes:
                ce, kl, teacher_ce = self._losses(work, outputs, given, frozen)
                del outputs  # the next chunk finds its memory free
                teachers = loss.teacher_label_weight / len(self.group_of) * teacher_ce
                (loss.label_weight * ce + given.ramp * kl + teachers).sum().backward()
                found |= dict(zip(work.learners, zip(ce.detach(), kl.detach(), strict=True), strict=True))
                if self.division is not None:
                    self.division.keep(work.learners)
        self._update(turn)
        ce, kl = (torch.stack(values) for values in zip(*found.values(), strict=True))
        return ce, kl

    def _passes(self, turn: Turn, given: OnDevice, iteration: int) -> Iterator[Pass]:
        """Run the chunks of a turn, each when it is asked for."""
        for work, tables in zip(turn.works, given.tables, strict=True):
            yield work, self._forward(work, tables, given, iteration)

    def _forward(self, work: Work, tables: Tables, given: OnDevice, iteration: int) -> ForwardOutputs:
        divide = self.loss.trunk_gradient == "mean"
        output = self.pool(work.inputs(given.rows, tables.sources), work.plan, iteration, work.groups, divide)
        return ForwardOutputs(work.plan, output, work.learners, work.batches, tables.imitated, tables.members)

    def _exchanged(self, turn: Turn, passes: Iterator[Pass]) -> Iterator[Pass]:
        """Run all chunks, and give each the logits of students that it imitates and others have run.

        A process in which a chunk fails takes part in the exchange, and goes on with none.
        """
        done: list[Pass] = []
        with self._computing():
            done = list(passes)
        logits = {
            student: outputs.output.logits[node].detach()
            for _, outputs in done
            for student, node in zip(outputs.learners, outputs.own, strict=True)
        }
        if self.division is not None:
            logits |= self.division.exchange(
                logits, {student: turn.sizes[self.group_of[student]] for student in turn.sent}
            )
        return ((work, replace(outputs, others=[logits[k] for k in work.others])) for work, outputs in done)

    def _computing(self) -> AbstractContextManager[None]:
        """Keep an error until all processes learn of it, if there are several."""
        return nullcontext() if self.division is None else self.division.computing()

    def _update(self, turn: Turn) -> None:
        """Take the optimizer step: the gradients of all chunks are complete here, and nothing else reads them.

        With several processes they are added up first, so that all of them take the same step.
        """
        if self.division is not None:
            self.division.add_up(self._learners(turn.students, turn.sizes))
        if self.clip_norm is not None:
            trained = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
            nn.utils.clip_grad_norm_(trained, self.clip_norm)
        self.optimizer.step()

    def _losses(
        self, work: Work, outputs: ForwardOutputs, given: OnDevice, frozen: Mapping[int, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor | float]:
        """Return cross-entropy and divergence of each learner, and the cross-entropy of its teacher."""
        sizes = tuple(work.sizes[batch] for batch in work.batches)
        own = padded([outputs.output.logits[node] for node in outputs.own])
        ce = batch_mean(self._label_loss(own, work, given), sizes)
        if not work.imitates and self.teachers is None:
            return ce, torch.zeros_like(ce), 0.0
        kl, teacher_ce = self._imitate(outputs, own, work, given, frozen)
        mask = outputs.imitated.any(dim=1).to(ce) if self.teachers is None else torch.ones_like(ce)
        return ce, batch_mean(kl, sizes) * mask, batch_mean(teacher_ce, sizes) * mask

    def _label_loss(self, logits: Tensor, work: Work, given: OnDevice) -> Tensor:
        """Return the loss of each sample with its label, by its weight. Shape: logits (S, B, C); result (S, B)."""
        groups = [self.group_of[k] for k in work.learners]
        targets = padded([given.labels[group] for group in groups])
        losses = self.task.loss(logits, targets, self.loss.label_smoothing, self.class_weights)
        if given.weights is None:
            return losses
        return losses * padded([given.weights[group] for group in groups]).to(losses)

    def _imitate(
        self, outputs: ForwardOutputs, own: Tensor, work: Work, given: OnDevice, frozen: Mapping[int, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return each sample's divergence from its teacher, and the teacher's cross-entropy."""
        loss, logits = self.loss, padded(outputs.logits)
        weights = self.aggregator(outputs).to(logits)
        teacher_ce = torch.zeros_like(own[..., 0])
        if loss.teacher_label_weight:
            teacher = teacher_logits(weights, logits)
            teacher_ce = self._label_loss(teacher, work, given)
        kept = weights.detach() if loss.teacher_gradient == "stopped" else weights
        mixed = logits if loss.teacher_gradient == "flows" else logits.detach()
        if frozen:
            kept, mixed = self._with_frozen(frozen, kept, mixed, outputs)
        divergence = self.task.mixes[loss.mixes]
        return divergence(kept, mixed, own, loss.temperature, loss.temperature_squared), teacher_ce

    def _frozen_logits(self, turn: Turn, given: OnDevice) -> dict[int, Tensor]:
        """Run the frozen teachers once on each batch that is learned from here; return their logits by its group."""
        if self.teachers is None:
            return {}
        groups = dict.fromkeys(self.group_of[k] for work in turn.works for k in work.learners)
        return {group: self.teachers(given.rows[group]) for group in groups}

    def _with_frozen(
        self, frozen: Mapping[int, Tensor], weights: Tensor, logits: Tensor, outputs: ForwardOutputs
    ) -> tuple[Tensor, Tensor]:
        """Add what the frozen teachers say about the batch of each learner."""
        groups = [self.group_of[k] for k in outputs.learners]
        read = list(dict.fromkeys(groups))
        told = [F.pad(frozen[g], (0, 0, 0, logits.shape[1] - frozen[g].shape[1])).to(logits) for g in read]
        return with_frozen(weights, logits, outputs.imitated, told, [read.index(group) for group in groups])
