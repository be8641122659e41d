"""Optimizers, by kind: PyTorch's own, with their fused kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated, Any, Literal, TypeAlias

import torch
from pydantic import Field
from torch import nn
from torch.nn import Parameter
from torch.optim import SGD, Adam, AdamW, Optimizer

from cgl_ignite.registry import Registry
from cgl_ignite.schedules import FACTOR

__all__ = ["OPTIMIZERS", "adam", "adamw", "layer_groups", "parameter_groups", "sgd"]

Decay = Annotated[float, Field(ge=0)]
Beta = Annotated[float, Field(ge=0, lt=1)]

Parameters: TypeAlias = Iterable[Parameter] | Iterable[dict[str, Any]]
"""Parameters, or groups of them with options of their own."""

OPTIMIZERS: Registry[Callable[..., Optimizer]] = Registry("optimizer")


@OPTIMIZERS.register("adam")
def adam(
    parameters: Parameters,
    learning_rate: float,
    *,
    betas: tuple[Beta, Beta] = (0.9, 0.999),
    eps: Annotated[float, Field(gt=0)] = 1e-8,
    weight_decay: Decay = 0.0,
) -> Optimizer:
    """Adam (Kingma & Ba 2015), as in all of the paper's experiments."""
    return Adam(parameters, learning_rate, betas, eps, weight_decay, fused=True)


@OPTIMIZERS.register("adamw")
def adamw(
    parameters: Parameters,
    learning_rate: float,
    *,
    betas: tuple[Beta, Beta] = (0.9, 0.999),
    eps: Annotated[float, Field(gt=0)] = 1e-8,
    weight_decay: Decay = 0.01,
) -> Optimizer:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""
    return AdamW(parameters, learning_rate, betas, eps, weight_decay, fused=True)


@OPTIMIZERS.register("sgd")
def sgd(
    parameters: Parameters,
    learning_rate: float,
    *,
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9,
    nesterov: bool = False,
    weight_decay: Decay = 0.0,
) -> Optimizer:
    """Stochastic gradient descent with momentum."""
    optimizer = SGD(parameters, learning_rate, momentum, weight_decay=weight_decay, nesterov=nesterov, fused=True)
    optimizer.register_step_pre_hook(_start_momentum)
    return optimizer


def _start_momentum(optimizer: Optimizer, *_: Any) -> None:
    """Give weights with a first gradient a momentum of zero: PyTorch's fused kernel starts all of them at once only."""
    for group in optimizer.param_groups:
        for weight in group["params"] if group["momentum"] else ():
            if weight.grad is not None and optimizer.state[weight].get("momentum_buffer") is None:
                optimizer.state[weight]["momentum_buffer"] = torch.zeros_like(weight)


def parameter_groups(modules: Iterable[nn.Module], decay: Literal["all", "weights"]) -> Parameters:
    """Return the parameters of modules that learn, those without weight decay in a group of their own if there are any.

    With ``decay = "weights"`` biases, parameters of normalisation and embeddings do not decay: what has fewer than two
    dimensions, or belongs to an ``nn.Embedding``.
    """
    modules = list(modules)
    if decay == "all":
        return [parameter for module in modules for parameter in module.parameters() if parameter.requires_grad]
    found = dict(_decays(modules))
    weights, others = ([parameter for parameter, decays in found.items() if decays is kept] for kept in (True, False))
    groups: list[dict[str, Any]] = [{"params": weights}, {"params": others, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def layer_groups(
    layers: Sequence[nn.Module], others: nn.Module, decay: Literal["all", "weights"], layer_decay: float
) -> Parameters:
    r"""Return the parameters of all layers and of others, in groups with factors of the learning rate.

    The factor of layer l of L is :math:`d^{L - l}`: the last one, the classifier, and ``others`` learn at the full
    rate, and each layer before at ``layer_decay`` times the rate of the next. A factor of 1 needs no group.

    Reference: Howard & Ruder 2018 (discriminative fine-tuning); Clark et al. 2020 (ELECTRA).
    """
    if layer_decay == 1:
        return parameter_groups([*layers, others], decay)
    factors = [layer_decay ** (len(layers) - 1 - number) for number in range(len(layers))]
    return [
        {**group, FACTOR: factor}
        for module, factor in zip((*layers, others), (*factors, 1.0), strict=True)
        for group in _as_groups(parameter_groups([module], decay))
    ]


def _as_groups(parameters: Parameters) -> list[dict[str, Any]]:
    """Return groups as they are, and parameters as one group, if there are any."""
    found: list[Any] = list(parameters)
    return found if not found or isinstance(found[0], dict) else [{"params": found}]


def _decays(modules: Iterable[nn.Module]) -> Iterator[tuple[Parameter, bool]]:
    for part in (part for module in modules for part in module.modules()):
        for parameter in part.parameters(recurse=False):
            if parameter.requires_grad:
                yield parameter, parameter.dim() > 1 and not isinstance(part, nn.Embedding)
