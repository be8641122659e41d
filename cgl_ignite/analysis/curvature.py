"""How sharp a minimum is: the largest eigenvalue of the Hessian of the loss."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

__all__ = ["Eigenvalue", "hessian_product", "largest_eigenvalue"]

STEPS, TOLERANCE = 100, 1e-3


class Eigenvalue(NamedTuple):
    """An eigenvalue, and whether the iteration settled on it."""

    value: float
    settled: bool


def largest_eigenvalue(
    product: Callable[[Tensor], Tensor], start: Tensor, steps: int = STEPS, tolerance: float = TOLERANCE
) -> Eigenvalue:
    """Find the largest eigenvalue of a symmetric matrix by power iteration.

    Power iteration finds the eigenvalue of the largest magnitude. If that one is negative, it is subtracted from the
    diagonal, and the iteration is repeated.

    Args:
        product: multiplies the matrix by a vector.
        start: a random vector.
        steps: at most so many products each time.
        tolerance: settled when an eigenvalue changes by less than this share of itself.

    Example:
        >>> matrix = torch.tensor([[-3.0, 0.0], [0.0, 2.0]])
        >>> value, settled = largest_eigenvalue(matrix.mv, torch.tensor([1.0, 1.0]), tolerance=1e-6)
        >>> round(value, 4), settled
        (2.0, True)
    """
    found = _dominant(product, start, steps, tolerance)
    if found.value >= 0:
        return found
    shifted = _dominant(lambda vector: product(vector) - found.value * vector, start, steps, tolerance)
    return Eigenvalue(shifted.value + found.value, found.settled and shifted.settled)


def _dominant(product: Callable[[Tensor], Tensor], start: Tensor, steps: int, tolerance: float) -> Eigenvalue:
    vector, value = start / start.norm(), 0.0
    for _ in range(steps):
        result = product(vector)
        before, value = value, float(vector @ result)
        norm = result.norm()
        if norm == 0 or abs(value - before) <= tolerance * abs(value):
            return Eigenvalue(value, True)
        vector = result / norm
    return Eigenvalue(value, False)


def hessian_product(
    network: nn.Module, parameters: Sequence[Tensor], batches: Iterable[tuple[Tensor, Tensor]], vector: Tensor
) -> Tensor:
    """Multiply the Hessian of the mean cross-entropy over all rows by a vector (Pearlmutter 1994).

    Args:
        network: in evaluation mode.
        parameters: those that the Hessian is taken of.
        batches: inputs and targets.
        vector: (P,), in the order of the parameters.
    """
    total, rows = torch.zeros_like(vector), 0
    for inputs, targets in batches:
        loss = cross_entropy(network(inputs), targets, reduction="sum")
        gradients = torch.autograd.grad(loss, parameters, create_graph=True, materialize_grads=True)
        slope = torch.cat([gradient.flatten() for gradient in gradients]) @ vector
        rows += len(targets)
        if slope.requires_grad:
            parts = torch.autograd.grad(slope, parameters, materialize_grads=True)
            total += torch.cat([part.flatten() for part in parts])
    return total / rows
