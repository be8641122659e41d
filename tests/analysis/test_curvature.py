"""Eigenvalues of small matrices and of the Hessian of a tiny network, against PyTorch's own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from cgl_ignite.analysis.curvature import hessian_product, largest_eigenvalue
from cgl_ignite.seeding import global_stream, stream


def tiny() -> tuple[nn.Module, list[tuple[Tensor, Tensor]]]:
    with global_stream(3, "tiny"):
        network = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()
        inputs, targets = torch.randn(11, 4, dtype=torch.float64), torch.randint(3, (11,))
    return network, list(zip(inputs.split(4), targets.split(4), strict=True))


def hessian(network: nn.Module, batches: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Work out the whole matrix by automatic differentiation."""
    names, shapes = zip(*[(name, value.shape) for name, value in network.named_parameters()], strict=True)
    inputs, targets = (torch.cat(parts) for parts in zip(*batches, strict=True))

    def loss(flat: Tensor) -> Tensor:
        parts = flat.split([shape.numel() for shape in shapes])
        weights = {name: part.view(shape) for name, part, shape in zip(names, parts, shapes, strict=True)}
        return cross_entropy(functional_call(network, weights, inputs), targets)

    return torch.autograd.functional.hessian(loss, nn.utils.parameters_to_vector(network.parameters()).detach())


@pytest.mark.parametrize("eigenvalues", [(3.0, 1.0, -2.0), (-5.0, 2.0, 1.0), (-4.0, -2.0, -1.0)])
def test_the_largest_and_not_the_largest_magnitude(eigenvalues: tuple[float, ...]) -> None:
    rotation = torch.linalg.qr(torch.randn(3, 3, generator=stream(1, "rotation"), dtype=torch.float64)).Q
    matrix = rotation @ torch.tensor(eigenvalues, dtype=torch.float64).diag() @ rotation.T
    start = torch.randn(3, generator=stream(1, "start"), dtype=torch.float64)
    found = largest_eigenvalue(matrix.mv, start, tolerance=1e-10)
    assert found.settled
    assert found.value == pytest.approx(max(eigenvalues), abs=1e-4)


def test_too_few_steps_are_told() -> None:
    matrix = torch.tensor([1.0, 0.999]).diag()
    assert not largest_eigenvalue(matrix.mv, torch.tensor([0.01, 1.0]), steps=2, tolerance=1e-9).settled


def test_products_are_those_of_the_whole_matrix() -> None:
    network, batches = tiny()
    whole = hessian(network, batches)
    vector = torch.randn(len(whole), generator=stream(1, "vector"), dtype=torch.float64)
    found = hessian_product(network, list(network.parameters()), batches, vector)
    assert torch.allclose(found, whole @ vector, atol=1e-12)


def test_the_eigenvalue_of_a_tiny_network() -> None:
    network, batches = tiny()
    expected = torch.linalg.eigvalsh(hessian(network, batches)).max().item()
    parameters = list(network.parameters())
    start = torch.randn(sum(map(torch.numel, parameters)), generator=stream(1, "start"), dtype=torch.float64)
    found = largest_eigenvalue(lambda v: hessian_product(network, parameters, batches, v), start, 500, 1e-9)
    assert found.value == pytest.approx(expected, rel=1e-4)
