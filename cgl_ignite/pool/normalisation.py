"""Batch normalisation in a shared module: statistics of one student on one batch, affine parameters of all.

Rows of several nodes arrive in one tensor; each node is normalised by itself, by PyTorch's own kernels. Joining the
results costs less than it looks: written into slices of one tensor, or with the nodes as channels of one call, the
same work was no faster.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from cgl_ignite.errors import InputError
from cgl_ignite.pool.scope import Scope

__all__ = ["StudentBatchNorm"]


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
        slots, sizes, training = self.scope.slots, self.scope.sizes, self.training
        if training and min(sizes) * inputs.shape[2:].numel() == 1:
            raise InputError("batch normalisation needs more than one value in each channel: make batches larger")
        weight, bias, means, variances = self.weight, self.bias, self.running_mean, self.running_var

        def normalise(rows: Tensor, slot: int | None) -> Tensor:
            mean, variance = (None, None) if slot is None else (means[slot], variances[slot])
            options = training, self.momentum, self.eps, torch.backends.cudnn.enabled
            return torch.batch_norm(rows, weight, bias, mean, variance, *options)

        if len(slots) == 1:
            return normalise(inputs, slots[0])
        return torch.cat([normalise(*node) for node in zip(inputs.split(sizes), slots, strict=True)])

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
