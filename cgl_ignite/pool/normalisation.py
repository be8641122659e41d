"""Batch normalisation in a shared module: statistics of one student on one batch, affine parameters of all.

Rows of several nodes arrive in one tensor. Each node is normalised by itself, by PyTorch's own kernels writing into
slices of one result, so that nothing is split and joined again.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from cgl_ignite.errors import InputError
from cgl_ignite.pool.scope import Scope

__all__ = ["StudentBatchNorm"]

Statistics = list[tuple[Tensor, Tensor] | None]


class StudentBatchNorm(nn.Module):
    """Batch normalisation over the nodes of a call, with a row of running statistics per slot.

    Training: a node uses its batch statistics and moves the running statistics of its slot; a node without a slot
    (a student that is only imitated) moves none. Evaluating: a node uses the running statistics of its slot.

    Shape: input (rows, C, ...); running statistics (S, C).
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, norm: _BatchNorm, scope: Scope) -> None:
        super().__init__()
        if norm.momentum is None or norm.running_mean is None or norm.running_var is None:
            raise InputError("batch normalisation in a pool needs running statistics with a momentum")
        self.kind = type(norm)
        self.momentum = norm.momentum
        self.eps = norm.eps
        self.scope = scope
        self.weight, self.bias = norm.weight, norm.bias
        self.register_buffer("running_mean", norm.running_mean.detach().clone().unsqueeze(0))
        self.register_buffer("running_var", norm.running_var.detach().clone().unsqueeze(0))

    def allocate(self, slots: int) -> None:
        """Give every slot a fresh row: mean 0, variance 1."""
        channels = self.running_mean.shape[1]
        self.running_mean = self.running_mean.new_zeros(slots, channels)
        self.running_var = self.running_var.new_ones(slots, channels)

    def forward(self, inputs: Tensor) -> Tensor:
        statistics: Statistics = [
            None if slot is None else (self.running_mean[slot], self.running_var[slot]) for slot in self.scope.slots
        ]
        options = (self.scope.sizes, statistics, self.training, self.momentum, self.eps)
        result: Tensor = _NormaliseNodes.apply(inputs, self.weight, self.bias, *options)  # type: ignore[no-untyped-call]
        return result

    def plain(self, slot: int) -> _BatchNorm:
        """Return the ordinary layer of one slot, for a student taken out of the pool."""
        channels = self.running_mean.shape[1]
        norm = self.kind(channels, self.eps, self.momentum, affine=self.weight is not None)
        norm = norm.to(self.running_mean)
        with torch.no_grad():
            if self.weight is not None:
                norm.weight.copy_(self.weight)
                norm.bias.copy_(self.bias)
        norm.running_mean = self.running_mean[slot].clone()
        norm.running_var = self.running_var[slot].clone()
        return norm


class _NormaliseNodes(torch.autograd.Function):
    """``F.batch_norm`` on each slice of rows, into one tensor."""

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        sizes: tuple[int, ...],
        statistics: Statistics,
        training: bool,
        momentum: float,
        eps: float,
    ) -> Tensor:
        output = torch.empty_like(inputs)
        saved = inputs.new_empty(2, len(sizes), inputs.shape[1] if training else 0)
        for node, (rows, result) in enumerate(zip(inputs.split(sizes), output.split(sizes), strict=True)):
            mean, variance = statistics[node] or (None, None)
            out = (result, saved[0, node], saved[1, node])
            torch.native_batch_norm(rows, weight, bias, mean, variance, training, momentum, eps, out=out)
        ctx.save_for_backward(inputs, weight, saved)
        ctx.sizes, ctx.statistics, ctx.training, ctx.eps = sizes, statistics, training, eps
        return output

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight, saved = ctx.saved_tensors
        pieces = zip(grads[0].split(ctx.sizes), inputs.split(ctx.sizes), strict=True)
        wanted = [ctx.needs_input_grad[0], weight is not None, weight is not None]
        results = []
        for node, (grad, rows) in enumerate(pieces):
            statistics = (None, None) if ctx.training else ctx.statistics[node]
            batch = (saved[0, node], saved[1, node]) if ctx.training else (None, None)
            results.append(
                torch.ops.aten.native_batch_norm_backward(
                    grad, rows, weight, *statistics, *batch, ctx.training, ctx.eps, wanted
                )
            )
        inputs_grads, weight_grads, bias_grads = zip(*results, strict=True)
        joined = _join(inputs_grads) if wanted[0] else None
        affine = (sum(weight_grads), sum(bias_grads)) if weight is not None else (None, None)
        return joined, *affine, None, None, None, None, None


def _join(pieces: tuple[Tensor, ...]) -> Tensor:
    return torch.cat(pieces) if len(pieces) > 1 else pieces[0]
