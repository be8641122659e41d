"""A trunk, and what each student makes of it."""

from __future__ import annotations

from torch import Tensor, nn

from tests.equivalence.methods.networks import run


def trunk_of(layers: list[list[nn.Module]], trunk: int, inputs: Tensor) -> Tensor:
    return run([module for (module,) in layers[:trunk]], inputs)


def features_of(layers: list[list[nn.Module]], trunk: int, shared: Tensor) -> list[Tensor]:
    """Return what each student's classifier reads."""
    return [run(branch, shared) for branch in zip(*layers[trunk:-1], strict=True)]


def logits_of(layers: list[list[nn.Module]], features: list[Tensor]) -> list[Tensor]:
    return [classifier(values) for classifier, values in zip(layers[-1], features, strict=True)]
