"""Batch normalisation of many nodes in a fixed number of kernels, each node by its own statistics."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

__all__ = ["normalise_nodes", "scale_nodes"]

OVER = (1, 3)
"""Samples and positions, in the view of :func:`_by_node`."""


def normalise_nodes(inputs: Tensor, nodes: int, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, ...]:
    r"""Normalise the rows of equally many samples per node by the statistics of their node.

    .. math:: y = \frac{x - \mu_n}{\sqrt{\sigma_n^2 + \epsilon}} \, w + b

    with μ and σ² (biased) over the samples and positions of node n, in the precision of the weight. The backward pass
    is that of the formula, for inputs, weight and bias.

    Shape: inputs (nodes * B, C, ...), weight and bias (C,); result like inputs; μ and σ² (nodes, C), no gradient.
    """
    return _NormaliseNodes.apply(inputs, nodes, weight, bias, eps)  # type: ignore[no-any-return,no-untyped-call]


def scale_nodes(inputs: Tensor, means: Tensor, variances: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Normalise the rows of each node by statistics that are given for it.

    Shape: inputs (nodes * B, C, ...), means and variances (nodes, C), weight and bias (C,); result like inputs.
    """
    scale = (variances + eps).rsqrt() * weight
    shift = torch.addcmul(bias, means, scale, value=-1)
    rows = _dense(inputs)
    result = torch.addcmul(shift[:, None, :, None], _by_node(rows, len(means)), scale[:, None, :, None])
    return _as_rows(result.to(inputs.dtype), rows.shape, rows.is_contiguous())


def _dense(rows: Tensor) -> Tensor:
    """Return rows whose positions lie together (contiguous), or whose channels do (channels last)."""
    return rows if rows.is_contiguous() or rows.movedim(1, -1).is_contiguous() else rows.contiguous()


def _by_node(rows: Tensor, nodes: int) -> Tensor:
    """View dense rows as (nodes, samples, C, positions); where channels lie together, positions count as samples."""
    if rows.is_contiguous():
        return rows.view(nodes, len(rows) // nodes, rows.shape[1], -1)
    return rows.movedim(1, -1).view(nodes, -1, rows.shape[1], 1)


def _as_rows(values: Tensor, shape: torch.Size, contiguous: bool) -> Tensor:
    """Undo :func:`_by_node`."""
    return values.view(shape) if contiguous else values.view(shape[0], *shape[2:], shape[1]).movedim(-1, 1)


class _NormaliseNodes(Function):
    """Means are sums over rows that lie together, which PyTorch is fast at; ``var_mean`` takes ten times as long."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, nodes: int, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, ...]:
        inputs = _dense(inputs)
        values = _by_node(inputs, nodes)
        mean = values.mean(OVER, keepdim=True, dtype=weight.dtype)
        centred = values - mean
        variance = (centred * centred).mean(OVER, keepdim=True)
        inverse = (variance + eps).rsqrt_()
        scale = inverse * weight[:, None]
        result = torch.empty_like(inputs)
        torch.addcmul(bias[:, None], centred, scale, out=_by_node(result, nodes))
        ctx.save_for_backward(centred.to(inputs.dtype), inverse, scale)
        ctx.shape, ctx.contiguous = inputs.shape, inputs.is_contiguous()
        mean, variance = mean.view(nodes, -1), variance.view(nodes, -1)
        ctx.mark_non_differentiable(mean, variance)
        return result, mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        centred, inverse, scale = ctx.saved_tensors
        incoming = (gradient if ctx.contiguous else gradient.movedim(1, -1)).reshape(centred.shape)
        total = incoming.sum(OVER, keepdim=True, dtype=scale.dtype)
        along = (incoming * centred).sum(OVER, keepdim=True, dtype=scale.dtype).mul_(inverse)
        share = -scale.numel() / centred.numel()
        result = torch.addcmul(scale * total * share, incoming, scale)
        result.addcmul_(centred, scale * inverse * along, value=share)
        rows = _as_rows(result.to(gradient.dtype), ctx.shape, ctx.contiguous)
        return rows, None, along.sum(0).flatten(), total.sum(0).flatten(), None
