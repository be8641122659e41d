"""Dropout whose masks have an address: shared prefixes and a plain loop over students draw the same."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from cgl_ignite.errors import InputError
from cgl_ignite.pool.scope import Scope
from cgl_ignite.seeding import stream

__all__ = ["AddressedDepth", "AddressedDropout"]


class AddressedDropout(nn.Module):
    """Dropout (elementwise or by channel) drawn from (seed, iteration, batch, layer, path prefix, draw).

    Args:
        dropout: the plain layer it stands for.
        scope: the call it runs in.
    """

    def __init__(self, dropout: _DropoutNd, scope: Scope) -> None:
        super().__init__()
        if type(dropout) not in (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d):
            raise InputError(f"{type(dropout).__name__} cannot be addressed; use Dropout, Dropout1d, 2d or 3d")
        self.kind: Any = type(dropout)
        self.p = dropout.p
        self.scaled = True
        self.scope = scope

    def forward(self, inputs: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return inputs
        self.scope.draws += 1
        masks = [self._mask(rows, node) for node, rows in enumerate(inputs.split(self.scope.sizes))]
        return inputs * (torch.cat(masks) if len(masks) > 1 else masks[0])

    def shape(self, rows: Tensor) -> tuple[int, ...]:
        """Return the shape of the mask of some rows."""
        return rows.shape if self.kind is nn.Dropout else (*rows.shape[:2], *(1,) * (rows.dim() - 2))

    def plain(self) -> nn.Module:
        """Return the ordinary layer, for a student taken out of the pool."""
        layer: nn.Module = self.kind(self.p)
        return layer

    def _mask(self, rows: Tensor, node: int) -> Tensor:
        scope = self.scope
        address = (scope.iteration, scope.batches[node], scope.layer, scope.prefixes[node], scope.draws)
        generator = stream(scope.seed, "dropout", *address, device=rows.device)
        shape = self.shape(rows)
        kept = torch.rand(shape, generator=generator, device=rows.device) >= self.p
        kept = kept.expand(len(rows), *shape[1:])
        return kept.to(rows.dtype) / (1 - self.p) if self.scaled and self.p < 1 else kept.to(rows.dtype)


class AddressedDepth(AddressedDropout):
    """Dropout of whole residual branches (Huang et al. 2016), drawn as :class:`AddressedDropout` draws.

    Args:
        depth: the plain layer, ``StochasticDepth`` of torchvision or ``DropPath`` of timm.
        scope: the call it runs in.
    """

    def __init__(self, depth: nn.Module, scope: Scope) -> None:
        nn.Module.__init__(self)
        own = vars(depth)
        self.kind: Any = type(depth)
        self.p = own["p"] if "p" in own else own["drop_prob"] or 0.0
        self.options = {name: own[name] for name in ("mode", "scale_by_keep") if name in own}
        self.scaled = self.options.get("scale_by_keep", True)
        self.scope = scope

    def shape(self, rows: Tensor) -> tuple[int, ...]:
        return (1 if self.options.get("mode") == "batch" else len(rows), *(1,) * (rows.dim() - 1))

    def plain(self) -> nn.Module:
        layer: nn.Module = self.kind(self.p, **self.options)
        return layer
