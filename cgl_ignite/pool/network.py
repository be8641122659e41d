"""The modular neural network: L layers of parallel modules through which every student has a path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from cgl_ignite.backbones.base import Backbone, LayerBuilder
from cgl_ignite.pool.dropout import AddressedDropout
from cgl_ignite.pool.normalisation import StudentBatchNorm
from cgl_ignite.pool.plan import Call, Plan, RouteTable, number_prefixes
from cgl_ignite.pool.replace import replace_layers
from cgl_ignite.pool.scope import Scope
from cgl_ignite.seeding import global_stream

__all__ = ["ModularNetwork", "modular_layers"]

LARGE = 512 * 2**10


def modular_layers(backbone: Backbone, classifier: Literal["module", "student", "shared"]) -> tuple[LayerBuilder, ...]:
    """Return the layers a pool is built of: the classifier inside the last one, or as a layer of its own."""
    if classifier != "module":
        return (*backbone.layers, backbone.classifier)
    *body, last = backbone.layers
    return (*body, lambda: nn.Sequential(last(), backbone.classifier()))


class ModularNetwork(nn.Module):
    """Modules ``layers[l][m]`` and the paths of K students through them.

    Args:
        layers: a builder for each layer.
        modules: how many modules each layer holds.
        seed: seed of the run; module (l, m) is initialised from its own address.
    """

    routes: RouteTable

    def __init__(self, layers: Sequence[LayerBuilder], modules: Sequence[int], seed: int) -> None:
        super().__init__()
        self.scope = Scope(seed=seed)
        self.layers = nn.ModuleList(
            nn.ModuleList(self._build(builder, seed, layer, module) for module in range(count))
            for layer, (builder, count) in enumerate(zip(layers, modules, strict=True))
        )

    def route(self, paths: Tensor, reads: Sequence[int], statistics: Literal["student", "shared"] = "student") -> None:
        """Establish the students: their paths, and the running statistics each of them keeps.

        Students that read the same data along the same path prefix have the same statistics there, and share a row.

        Args:
            paths: (K, L) table of module indices.
            reads: for each student, the data group it learns from.
            statistics: ``student``: a row per student (and prefix); ``shared``: one row per module.
        """
        rows: list[list[int]] = paths.tolist()
        if statistics == "shared":
            slots = [[0] * len(row) for row in rows]
        else:
            grouped = number_prefixes([(group, *row) for group, row in zip(reads, rows, strict=True)])
            slots = [list(row[1:]) for row in grouped]
        self.routes = RouteTable(rows, slots)
        for layer, column in zip(self.layers, zip(*slots, strict=True), strict=True):
            for part in layer.modules():
                if isinstance(part, StudentBatchNorm):
                    part.allocate(max(column) + 1)

    def forward(
        self, batches: Sequence[Tensor], plan: Plan, iteration: int = 0, groups: Sequence[int] | None = None
    ) -> list[Tensor]:
        """Run a plan; returns the logits of its output nodes, each (rows of its batch, C).

        Args:
            batches: inputs of each batch, (rows, ...); batches may differ in their number of rows.
            plan: what to run (:func:`cgl_ignite.pool.plan.plan_forward`).
            iteration: address of this pass, for dropout masks.
            groups: the data group of each batch, a part of that address; by default the batches' positions.
        """
        groups = range(len(batches)) if groups is None else groups
        sizes = tuple(len(batch) for batch in batches)
        self.scope.iteration = iteration
        values = list(batches)
        for number, (calls, modules) in enumerate(zip(plan.layers, self.layers, strict=True)):
            self.scope.layer = number
            outputs: list[Tensor] = []
            for call in calls:
                parts = call.apart() if _is_large(values[call.sources[0]]) else (call,)
                for part in parts:
                    outputs += self._run(part, modules[call.module], values, sizes, groups)  # type: ignore[index]
            values = outputs
        return values

    def _run(
        self, call: Call, module: nn.Module, values: list[Tensor], sizes: tuple[int, ...], groups: Sequence[int]
    ) -> Sequence[Tensor]:
        scope = self.scope
        scope.sizes = tuple(sizes[batch] for batch in call.batches)
        scope.slots, scope.prefixes, scope.draws = call.slots, call.prefixes, 0
        scope.batches = tuple(groups[batch] for batch in call.batches)
        with torch.set_grad_enabled(call.gradient and torch.is_grad_enabled()):
            rows = [values[source] for source in call.sources]
            result: Tensor = module(rows[0] if len(rows) == 1 else torch.cat(rows))
            return result.split(scope.sizes) if len(rows) > 1 else (result,)

    def _build(self, builder: LayerBuilder, seed: int, layer: int, module: int) -> nn.Module:
        with global_stream(seed, "initialisation", layer, module):
            return replace_layers(builder(), self._aware)

    def _aware(self, part: nn.Module) -> nn.Module | None:
        """Give the layers whose result depends on which rows belong together a version that knows it."""
        if isinstance(part, _BatchNorm):
            return StudentBatchNorm(part, self.scope)
        return AddressedDropout(part, self.scope) if isinstance(part, _DropoutNd) else None


def _is_large(rows: Tensor) -> bool:
    """Tell whether one node fills a CPU's cache: joined with others it would only be copied, not run faster."""
    return rows.device.type == "cpu" and rows.nbytes >= LARGE
