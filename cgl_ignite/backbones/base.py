"""The contract of a backbone: an ordered list of layers and a classifier."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from cgl_ignite.errors import InputError
from cgl_ignite.registry import Registry

__all__ = [
    "BACKBONES",
    "Backbone",
    "FrozenBuilder",
    "LayerBuilder",
    "WholeNetwork",
    "WrongInput",
    "channel_means",
    "initialise",
    "is_part",
    "position_means",
]

LayerBuilder = Callable[[], nn.Module]


@dataclass(frozen=True)
class FrozenBuilder:
    """The builder of a layer that does not learn: its parameters get no gradient, and it runs as in evaluation."""

    builder: LayerBuilder

    def __call__(self) -> nn.Module:
        return self.builder().requires_grad_(False).eval()


class WholeNetwork(Protocol):
    """A network that was cut into the layers of a backbone, by the names that its own library gives its weights.

    Attributes:
        classifier: the name of the module that makes the logits.
    """

    classifier: str

    def weights(self) -> Mapping[str, Tensor]:
        """Return the weights of a fresh network as its library makes it."""

    def layers(self, weights: Mapping[str, Tensor]) -> Sequence[Mapping[str, Tensor]]:
        """Divide weights among the layers and the classifier, by the names that they have there; missing ones are not.

        Raises:
            InputError: weights of another number of channels than the data have.
        """


class WrongInput(InputError):
    """A backbone that fails on inputs of the form that it is built for."""


def is_part(weight: str, module: str) -> bool:
    """Tell by their names whether a weight belongs to a module.

    Example:
        >>> is_part("head.fc.bias", "head"), is_part("header.bias", "head")
        (True, False)
    """
    return f"{weight}.".startswith(f"{module}.")


def channel_means(values: Tensor) -> Tensor:
    """Average each channel over all positions. Shape: (B, C, ...) to (B, C).

    Example:
        >>> import torch
        >>> channel_means(torch.tensor([[[1.0, 3.0], [0.0, 0.0]]])).tolist()
        [[2.0, 0.0]]
    """
    return values.flatten(2).mean(dim=2) if values.dim() > 2 else values


def position_means(values: Tensor) -> Tensor:
    """Average over all positions where channels come last. Shape: (B, ..., C) to (B, C).

    Example:
        >>> import torch
        >>> position_means(torch.tensor([[[1.0, 5.0], [3.0, 1.0]]])).tolist()
        [[2.0, 3.0]]
    """
    return values.flatten(1, -2).mean(dim=1) if values.dim() > 2 else values


@dataclass(frozen=True)
class Backbone:
    """What a student is made of: L layers, stem first, and the classifier that follows the last one.

    Each builder makes one fresh module of its layer, so that a pool can hold several in parallel. A layer
    maps one tensor to one tensor and leaves its input as it is; its modules are plain ``torch.nn``.

    Attributes:
        layers: a builder for each layer.
        classifier: the builder of what turns the last layer's output into logits.
        stages: how many layers each stage has, in order; branches start at the last stage. By default each layer is
            one.
        to_vector: turns a layer's output into one vector per sample, (B, ...) to (B, C).
        names: what each layer and the classifier hold, for people; may be empty.
        operations: of each layer and of the classifier, in the order in which they run: the name of the module that an
            operation belongs to, and its own; empty if they are not known.
        whole: the network that the layers were cut from; None for layers that are no other network.
    """

    layers: tuple[LayerBuilder, ...]
    classifier: LayerBuilder
    stages: tuple[int, ...] = ()
    to_vector: Callable[[Tensor], Tensor] = channel_means
    names: tuple[str, ...] = ()
    operations: tuple[tuple[tuple[str, str], ...], ...] = ()
    whole: WholeNetwork | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "stages", self.stages or (1,) * len(self.layers))
        if sum(self.stages) != len(self.layers):
            raise ValueError(f"stages of {self.stages} layers for a backbone of {len(self.layers)}")


BACKBONES: Registry[Callable[..., Backbone]] = Registry("backbone")


def initialise(module: nn.Module) -> nn.Module:
    """Draw convolution weights as He et al. (2015) do (fan out); norms start as the identity."""
    for part in module.modules():
        if isinstance(part, (nn.Conv1d, nn.Conv2d)):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
    return module
