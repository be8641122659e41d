"""The modular neural network: L layers of parallel modules through which every student has a path."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from cgl_ignite.backbones.base import Backbone, FrozenBuilder, LayerBuilder
from cgl_ignite.backbones.cutting.draws import drops_paths
from cgl_ignite.pool.dropout import AddressedDepth, AddressedDropout
from cgl_ignite.pool.nodes import PoolOutput
from cgl_ignite.pool.normalisation import StudentBatchNorm
from cgl_ignite.pool.plan import Call, Plan, RouteTable
from cgl_ignite.pool.pointwise import with_safe_convolutions
from cgl_ignite.pool.precision import lowered
from cgl_ignite.pool.replace import replace_layers
from cgl_ignite.pool.routing import follow, trunk_of
from cgl_ignite.pool.scope import Scope
from cgl_ignite.pool.traversal import Traversal
from cgl_ignite.seeding import global_stream

__all__ = ["ModularNetwork", "modular_layers"]

LARGE = 512 * 2**10
"""A node of this many bytes fills a CPU's cache: joined with others it would only be copied, not run faster."""

BUSY = 2 * 2**20
"""A node of this many bytes keeps a GPU busy for longer than its launches take: it is normalised by itself."""


def modular_layers(backbone: Backbone) -> tuple[LayerBuilder, ...]:
    """Return the layers a pool is built of: those of the backbone, and its classifier."""
    return tuple(_safe(builder) for builder in (*backbone.layers, backbone.classifier))


def _safe(builder: LayerBuilder) -> LayerBuilder:
    if isinstance(builder, FrozenBuilder):
        return FrozenBuilder(partial(_build_safe, builder.builder))
    return partial(_build_safe, builder)


def _build_safe(builder: LayerBuilder) -> nn.Module:
    return with_safe_convolutions(builder())


class ModularNetwork(nn.Module):
    """Modules ``layers[l][m]`` and the paths of K students through them.

    Frozen layers stay in evaluation mode and hold plain modules: their statistics are those of all students.

    Args:
        layers: a builder for each layer.
        modules: how many modules each layer holds; a classifier left out has as many as the last layer.
        seed: seed of the run; module (l, m) is initialised from its own address.
        precision: ``torch.bfloat16`` lets convolutions and matrix products run in it (autocast); weights stay as they
            are, and logits come out in their precision.
    """

    routes: RouteTable
    trunk: int

    def __init__(
        self,
        layers: Sequence[LayerBuilder],
        modules: Sequence[int],
        seed: int,
        precision: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.precision = precision
        self.scope = Scope(seed=seed)
        self.layers = nn.ModuleList(
            nn.ModuleList(self._build(builder, seed, layer, module) for module in range(count))
            for layer, (builder, count) in enumerate(zip(layers, follow(modules, len(layers)), strict=True))
        )
        self.frozen = tuple(layer for layer, builder in enumerate(layers) if isinstance(builder, FrozenBuilder))
        self.trunk = trunk_of([len(row) for row in self.layers][:-1])  # type: ignore[arg-type]

    def route(
        self, paths: Tensor, group_of: Sequence[int], statistics: Literal["student", "shared"] = "student"
    ) -> None:
        """Establish the students: their paths, and the running statistics each of them keeps.

        Args:
            paths: (K, L) table of module indices; a classifier left out belongs to the last module of a path.
            group_of: for each student, the data group it learns from.
            statistics: which of them share running statistics (:meth:`RouteTable.of`).
        """
        rows = [follow(row, len(self.layers)) for row in paths.tolist()]
        keeps = [any(isinstance(part, StudentBatchNorm) for part in layer.modules()) for layer in self.layers]
        self.routes = RouteTable.of(rows, group_of, keeps, statistics)
        for layer, column in zip(self.layers, zip(*self.routes.slots, strict=True), strict=True):
            for part in layer.modules():
                if isinstance(part, StudentBatchNorm):
                    part.allocate(max(column) + 1)

    def train(self, mode: bool = True) -> ModularNetwork:
        """Set the mode of all layers but the frozen ones."""
        super().train(mode)
        for layer in self.frozen:
            self.layers[layer].eval()
        return self

    def forward(
        self,
        batches: Sequence[Tensor],
        plan: Plan,
        iteration: int = 0,
        groups: Sequence[int] | None = None,
        divide_gradients: bool = False,
    ) -> PoolOutput:
        """Run a plan; the logits of its output nodes are (rows of its batch, C) each.

        Args:
            batches: inputs of each batch, (rows, ...); batches may differ in their number of rows.
            plan: what to run (:func:`cgl_ignite.pool.plan.plan_forward`).
            iteration: address of this pass, for dropout masks.
            groups: the data group of each batch, a part of that address; by default the batches' positions.
            divide_gradients: whether a node passes on the mean, instead of the sum, of the gradients of its readers.
        """
        self.scope.iteration = iteration
        self.scope.groups = tuple(range(len(batches)) if groups is None else groups)
        self.scope.rows = tuple(len(batch) for batch in batches)
        self.scope.large, large = (LARGE, LARGE) if batches[0].device.type == "cpu" else (BUSY, math.inf)
        kept = (self.trunk, len(self.layers) - 1)
        traversal = Traversal(plan, batches, self._run, large, divide=divide_gradients, kept=kept)
        with lowered(self.precision, batches[0].device):
            values = traversal()
        trunk = (values[self.trunk], plan.layers[self.trunk - 1]) if self.trunk else None
        return PoolOutput(plan, values[-1], values[-2], trunk)

    def _run(self, layer: int, call: Call, inputs: Tensor) -> Tensor:
        self.scope.enter(layer, call)
        module: nn.Module = self.layers[layer][call.module]  # type: ignore[index]
        with torch.set_grad_enabled(call.gradient and torch.is_grad_enabled()):
            result: Tensor = module(inputs)
            return result

    def _build(self, builder: LayerBuilder, seed: int, layer: int, module: int) -> nn.Module:
        with global_stream(seed, "initialisation", layer, module):
            built = builder()
        return built if isinstance(builder, FrozenBuilder) else replace_layers(built, self._aware)

    def _aware(self, part: nn.Module) -> nn.Module | None:
        """Give the layers whose result depends on which rows belong together a version that knows it."""
        if isinstance(part, _BatchNorm):
            return StudentBatchNorm(part, self.scope)
        if drops_paths(part):
            return AddressedDepth(part, self.scope)
        return AddressedDropout(part, self.scope) if isinstance(part, _DropoutNd) else None
