"""What training costs, computed from the same plan that runs: parameters, multiply-adds, memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from cgl_ignite.backbones.base import LayerBuilder
from cgl_ignite.pool.plan import Plan
from cgl_ignite.seeding import global_stream

__all__ = ["LayerCost", "PlanCost", "measure_layers", "plan_cost"]

PROBE = 2


@dataclass(frozen=True)
class LayerCost:
    """One module of a layer: its parameters, and per sample its multiply-adds and the bytes kept for backward."""

    parameters: int
    forward: int
    backward: int
    kept: int


@dataclass(frozen=True)
class PlanCost:
    """Work of a plan: layer runs on one batch, multiply-adds, and bytes kept for the backward pass."""

    runs: int
    multiply_adds: int
    kept: int


def measure_layers(layers: Sequence[LayerBuilder], shape: tuple[int, ...]) -> list[LayerCost]:
    """Measure each layer by one small forward and backward pass on the CPU.

    Multiply-adds are half of the floating-point operations that PyTorch counts in convolutions and matrix products.

    Args:
        layers: the builders the pool is made of.
        shape: shape of one input.
    """
    costs = []
    values = torch.zeros(PROBE, *shape)
    for number, builder in enumerate(layers):
        with global_stream(0, "probe", number):
            module = builder().train()
        cost, values = _measure(module, values.detach().requires_grad_(number > 0))
        costs.append(cost)
    return costs


def plan_cost(plan: Plan, layers: Sequence[LayerCost], sizes: Sequence[int]) -> PlanCost:
    """Add up a plan's nodes; ``sizes`` are the rows of its batches."""
    runs = work = kept = 0
    for calls, layer in zip(plan.layers, layers, strict=True):
        for call in calls:
            rows = sum(sizes[batch] for batch in call.batches)
            runs += len(call.sources)
            work += rows * (layer.forward + layer.backward * call.gradient)
            kept += rows * layer.kept * call.gradient
    return PlanCost(runs, work, kept)


def _measure(module: nn.Module, values: Tensor) -> tuple[LayerCost, Tensor]:
    own = {parameter.untyped_storage().data_ptr() for parameter in module.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with FlopCounterMode(display=False) as forward, saved_tensors_hooks(keep, lambda tensor: tensor):
        result = module(values)
    with FlopCounterMode(display=False) as backward:
        result.sum().backward()
    cost = LayerCost(
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        forward=forward.get_total_flops() // (2 * PROBE),
        backward=backward.get_total_flops() // (2 * PROBE),
        kept=sum(kept.values()) // PROBE,
    )
    return cost, result
