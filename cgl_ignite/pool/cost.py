"""What training costs, computed from the same plan that runs: parameters, multiply-adds, memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from cgl_ignite.backbones.base import FrozenBuilder, LayerBuilder
from cgl_ignite.pool.network import LARGE
from cgl_ignite.pool.plan import Plan
from cgl_ignite.pool.precision import lowered
from cgl_ignite.pool.probe import ROWS, inputs_for, intact, layer_for
from cgl_ignite.spec import InputSpec

__all__ = ["LayerCost", "PlanCost", "measure_layers", "plan_cost"]

FLOAT = 4

Shape = tuple[int, ...]


@dataclass(frozen=True)
class LayerCost:
    """One module of a layer: its parameters, and per sample its multiply-adds and the bytes kept for backward.

    ``output`` is the shape of what it makes of one sample. ``statistics``: whether it keeps running statistics of each
    student. ``frozen``: whether it does not learn; then nothing runs backward and nothing is kept. ``slowest``: the
    batch normalisation of the smallest momentum, by its name, and that momentum; None if there is none that learns.
    """

    parameters: int
    forward: int
    backward: int
    kept: int
    output: tuple[int, ...] = ()
    statistics: bool = False
    frozen: bool = False
    slowest: tuple[str, float] | None = None

    @property
    def trained(self) -> int:
        """The parameters that learn."""
        return 0 if self.frozen else self.parameters

    def width(self, to_vector: Callable[[Tensor], Tensor]) -> int:
        """Return the length of the vector that a backbone makes of this layer's output."""
        return to_vector(torch.zeros(1, *self.output)).shape[-1]


@dataclass(frozen=True)
class PlanCost:
    """Work of a plan: layer runs on one batch, multiply-adds, and bytes kept for the backward pass.

    ``widest``: bytes of what the layer with the largest outputs makes at once: all nodes, or one that runs alone.
    """

    runs: int
    multiply_adds: int
    kept: int
    widest: int = 0


def measure_layers(
    layers: Sequence[LayerBuilder], spec: InputSpec, precision: torch.dtype = torch.float32
) -> list[LayerCost]:
    """Measure each layer by small forward and backward passes on the CPU.

    Multiply-adds are half of the floating-point operations that PyTorch counts in convolutions and matrix products.

    Args:
        layers: the builders the pool is made of.
        spec: the form of one input; texts are measured at their full length.
        precision: of the layers' arithmetic, in which they keep what the backward pass needs.

    Raises:
        InputError: a layer that changes its input.
    """
    costs: list[LayerCost] = []
    counted = False
    values = inputs_for(spec)
    learns = False
    for number, builder in enumerate(layers):
        module = layer_for(builder, number)
        with lowered(precision, values.device):
            cost, result, counted = _measure(number, module, values.requires_grad_(learns), counted)
            with torch.no_grad(), intact(values, number, module) as lent:
                module.eval()(lent)
        frozen = isinstance(builder, FrozenBuilder)
        learns |= not frozen
        costs.append(replace(cost, frozen=True, statistics=False, slowest=None) if frozen else cost)
        values = result.detach()
    return costs


def plan_cost(plan: Plan, layers: Sequence[LayerCost], sizes: Sequence[int]) -> PlanCost:
    """Add up a plan's nodes; ``sizes`` are the rows of its batches."""
    runs = work = kept = widest = 0
    for calls, layer in zip(plan.layers, layers, strict=True):
        width = math.prod(layer.output) * FLOAT
        nodes = [sizes[batch] * width for call in calls for batch in call.batches]
        widest = max(widest, max(nodes) if max(nodes) >= LARGE else sum(nodes))
        for call in calls:
            rows = sum(sizes[batch] for batch in call.batches)
            runs += len(call.sources)
            work += rows * (layer.forward + layer.backward * call.gradient)
            kept += rows * layer.kept * call.gradient
    return PlanCost(runs, work, kept, widest)


def _measure(number: int, module: nn.Module, values: Tensor, counted: bool) -> tuple[LayerCost, Tensor, bool]:
    """Measure one layer; return its result, too, and whether what it keeps includes that.

    Of what is kept, weights and casts of them are left out, and the inputs if the layer before has ``counted`` them.
    """
    with FlopCounterMode(display=False, custom_mapping=ATTENTION) as forward:
        few, result = _keep(number, module, values, counted)
    with FlopCounterMode(display=False, custom_mapping=ATTENTION) as backward:
        if result.requires_grad:
            result.sum().backward()
    many, _ = _keep(number, module, torch.cat([values, values]), counted)
    cost = LayerCost(
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        forward=forward.get_total_flops() // (2 * ROWS),
        backward=backward.get_total_flops() // (2 * ROWS),
        kept=(sum(many.values()) - sum(few.values())) // ROWS,
        output=tuple(result.shape[1:]),
        statistics=any(isinstance(part, _BatchNorm) for part in module.modules()),
        slowest=_slowest(module),
    )
    return cost, result, result.untyped_storage().data_ptr() in few


def _slowest(module: nn.Module) -> tuple[str, float] | None:
    norms = ((name, part) for name, part in module.named_modules() if isinstance(part, _BatchNorm))
    momenta = [(name, part.momentum) for name, part in norms if part.momentum is not None]
    return min(momenta, key=lambda each: each[1], default=None)


def _keep(number: int, module: nn.Module, values: Tensor, counted: bool) -> tuple[dict[int, int], Tensor]:
    """Run a layer and list the storages that it keeps for the way back, with their bytes."""
    own = {tensor.untyped_storage().data_ptr() for tensor in module.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with intact(values, number, module) as lent, saved_tensors_hooks(keep, lambda tensor: tensor):
        own |= {lent.untyped_storage().data_ptr()} if counted else set()
        result: Tensor = module(lent)
    return kept, result


def _attention(query: Shape, key: Shape, value: Shape, *_: Any, **__: Any) -> int:
    return int(sdpa_flop_count(query, key, value))


def _attention_backward(gradient: Shape, query: Shape, key: Shape, value: Shape, *_: Any, **__: Any) -> int:
    return int(sdpa_backward_flop_count(gradient, query, key, value))


ATTENTION = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
}
"""The attention kernel of the CPU, which PyTorch's counter does not know by itself."""
