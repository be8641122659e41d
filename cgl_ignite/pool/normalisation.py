"""Batch normalisation in a shared module: statistics of one student on one batch, affine parameters of all.

Rows of several nodes arrive in one tensor; each node is normalised by itself. Many small nodes go through a fixed
number of kernels (:mod:`cgl_ignite.pool.joint`). PyTorch's own kernel is faster for a large node and, on a CPU, for
values whose channels do not lie together: there nodes are normalised one by one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from cgl_ignite.errors import InputError
from cgl_ignite.pool.joint import normalise_nodes, scale_nodes
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
    first_mean: Tensor
    first_var: Tensor

    def __init__(self, norm: _BatchNorm, scope: Scope) -> None:
        super().__init__()
        if not type(norm).__module__.startswith("torch.nn"):
            raise InputError(f"{type(norm).__name__} cannot keep statistics for each student; use those of torch.nn")
        if norm.momentum is None or norm.running_mean is None or norm.running_var is None:
            raise InputError("batch normalisation in a pool needs running statistics with a momentum")
        self.kind = type(norm)
        self.momentum = norm.momentum
        self.eps = norm.eps
        self.scope = scope
        self.weight, self.bias = norm.weight, norm.bias
        for name in ("mean", "var"):
            value = norm.get_buffer(f"running_{name}").detach().clone().unsqueeze(0)
            self.register_buffer(f"running_{name}", value)
            self.register_buffer(f"first_{name}", value.clone(), persistent=False)

    def allocate(self, slots: int) -> None:
        """Give every slot a row of its own, with the statistics of the plain layer: mean 0, variance 1, or loaded."""
        self.running_mean = self.first_mean.repeat(slots, 1)
        self.running_var = self.first_var.repeat(slots, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        slots, sizes = self.scope.slots, self.scope.sizes
        if self.training and min(sizes) * inputs.shape[2:].numel() == 1:
            raise InputError("batch normalisation needs more than one value in each channel: make batches larger")
        if len(slots) == 1:
            return self._alone(inputs, slots[0])
        if self._suits_joint_kernels(inputs):
            return self._jointly(inputs)
        return torch.cat([self._alone(*node) for node in zip(inputs.split(sizes), slots, strict=True)])

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

    def _suits_joint_kernels(self, inputs: Tensor) -> bool:
        if self.weight is None or len(set(self.scope.sizes)) > 1:
            return False
        small = inputs.nbytes < self.scope.large * len(self.scope.slots)
        return small and (inputs.device.type != "cpu" or not inputs.is_contiguous())

    def _alone(self, rows: Tensor, slot: int | None) -> Tensor:
        mean, variance = (None, None) if slot is None else (self.running_mean[slot], self.running_var[slot])
        options = self.training, self.momentum, self.eps, torch.backends.cudnn.enabled
        return torch.batch_norm(rows, self.weight, self.bias, mean, variance, *options)

    def _jointly(self, inputs: Tensor) -> Tensor:
        slots = self.scope.slots
        if not self.training:
            means, variances = (
                torch.stack([rows[slot] for slot in slots]) for rows in (self.running_mean, self.running_var)
            )
            return scale_nodes(inputs, means, variances, self.weight, self.bias, self.eps)
        result, means, variances = normalise_nodes(inputs, len(slots), self.weight, self.bias, self.eps)
        values = inputs.numel() // means.numel()
        self._move(self.running_mean, means)
        self._move(self.running_var, variances * (values / (values - 1)))
        return result

    def _move(self, running: Tensor, values: Tensor) -> None:
        """Move running statistics towards those of the nodes; of several nodes with one slot, one after the other."""
        moves = [
            (slot, value) for slot, value in zip(self.scope.slots, values.unbind(), strict=True) if slot is not None
        ]
        rows, targets = [running[slot] for slot, _ in moves], [value for _, value in moves]
        if moves and len(dict(moves)) == len(moves):
            torch._foreach_lerp_(rows, targets, self.momentum)
            return
        for row, target in zip(rows, targets, strict=True):
            row.lerp_(target, self.momentum)
