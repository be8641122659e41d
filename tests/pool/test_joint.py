"""Normalising many nodes at once equals PyTorch's batch normalisation of each of them."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from torch import Tensor, nn
from torch.nn import functional as F

from cgl_ignite.pool.joint import normalise_nodes, scale_nodes
from cgl_ignite.pool.normalisation import StudentBatchNorm
from cgl_ignite.pool.scope import Scope

EPS = 1e-3
LAYOUTS = {
    "rows": ((), torch.contiguous_format),
    "sequences": ((4,), torch.contiguous_format),
    "images": ((2, 3), torch.contiguous_format),
    "images, channels last": ((2, 3), torch.channels_last),
    "volumes, channels last": ((2, 1, 2), torch.channels_last_3d),
}


def draw(seed: int, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@given(layout=st.sampled_from(list(LAYOUTS)), nodes=st.integers(1, 4), samples=st.integers(2, 5))
def test_results_statistics_and_gradients(layout: str, nodes: int, samples: int) -> None:
    shape, memory_format = LAYOUTS[layout]
    inputs = (3 + draw(1, nodes * samples, 3, *shape)).contiguous(memory_format=memory_format).requires_grad_()
    weight, bias, scale = draw(2, 3).requires_grad_(), draw(3, 3).requires_grad_(), draw(4, *inputs.shape)
    found, means, variances = normalise_nodes(inputs, nodes, weight, bias, EPS)
    gradients = torch.autograd.grad((found * scale).sum(), (inputs, weight, bias))

    expected = torch.cat(
        [F.batch_norm(rows, None, None, weight, bias, True, 0.1, EPS) for rows in inputs.split(samples)]
    )
    torch.testing.assert_close(found, expected)
    assert found.stride() == inputs.stride()
    torch.testing.assert_close(gradients, torch.autograd.grad((expected * scale).sum(), (inputs, weight, bias)))
    for node, rows in enumerate(inputs.detach().split(samples)):
        by_channel = rows.movedim(1, 0).flatten(1)
        torch.testing.assert_close(means[node], by_channel.mean(1))
        torch.testing.assert_close(variances[node], by_channel.var(1, correction=0))

    given_statistics = scale_nodes(inputs, means, variances, weight, bias, EPS)
    torch.testing.assert_close(given_statistics, expected)
    assert given_statistics.stride() == inputs.stride()


def test_gradients_against_finite_differences() -> None:
    inputs = draw(1, 6, 2, 2, 2).requires_grad_()
    weight, bias = draw(2, 2).requires_grad_(), draw(3, 2).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda *values: normalise_nodes(values[0], 3, *values[1:], EPS)[0], (inputs, weight, bias)
    )
    statistics = draw(4, 3, 2), draw(5, 3, 2).abs()
    assert torch.autograd.gradcheck(
        lambda *values: scale_nodes(values[0], *statistics, *values[1:], EPS), (inputs, weight, bias)
    )


def test_a_value_may_be_changed_in_place_afterwards() -> None:
    """As an activation of a network does."""
    inputs = draw(1, 6, 2, 2, 2).contiguous(memory_format=torch.channels_last).requires_grad_()
    weight, bias = torch.ones(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    F.relu(normalise_nodes(inputs, 3, weight, bias, EPS)[0], inplace=True).square().sum().backward()
    twin = inputs.detach().clone().requires_grad_()
    sum(
        F.relu(F.batch_norm(rows, None, None, training=True, eps=EPS)).square().sum() for rows in twin.split(2)
    ).backward()
    torch.testing.assert_close(inputs.grad, twin.grad)


def test_lower_precision_keeps_its_statistics_in_that_of_the_weight() -> None:
    exact = 100 + draw(1, 64, 2, 4, 4, dtype=torch.float32)
    inputs = exact.bfloat16().requires_grad_()
    weight, bias = torch.ones(2), torch.zeros(2)
    found, means, _ = normalise_nodes(inputs, 2, weight, bias, EPS)
    assert (found.dtype, means.dtype) == (torch.bfloat16, torch.float32)
    expected = torch.cat([F.batch_norm(rows, None, None, training=True, eps=EPS) for rows in inputs.float().split(32)])
    torch.testing.assert_close(found.float(), expected, rtol=2**-8, atol=2**-8)
    incoming = draw(2, *found.shape, dtype=torch.float32).bfloat16()
    (gradient,) = torch.autograd.grad(found, inputs, incoming)
    (wanted,) = torch.autograd.grad(expected, inputs, incoming.float())
    torch.testing.assert_close(gradient.float(), wanted.float(), rtol=0.02, atol=0.02)
    assert scale_nodes(inputs, means, means, weight, bias, EPS).dtype == torch.bfloat16


class Calls(torch.utils._python_dispatch.TorchDispatchMode):
    """Counts the operators that compute."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        if not operator.is_view:
            self.names.append(operator.name())
        return operator(*args, **(kwargs or {}))


def kernels(nodes: int, large: float, training: bool) -> int:
    slots = tuple(range(nodes))
    norm = StudentBatchNorm(nn.BatchNorm2d(8), Scope(sizes=(4,) * nodes, slots=slots, large=large)).train(training)
    norm.allocate(nodes)
    inputs = draw(1, 4 * nodes, 8, 2, 2, dtype=torch.float32).contiguous(memory_format=torch.channels_last)
    inputs.requires_grad_(training)
    with Calls() as calls:
        result = norm(inputs)
        if training:
            result.sum().backward()
    return len(calls.names)


@pytest.mark.parametrize("training", [True, False])
def test_the_number_of_kernels_does_not_grow_with_that_of_the_nodes(training: bool) -> None:
    assert kernels(4, float("inf"), training) == kernels(16, float("inf"), training) < kernels(16, 1, training)


def test_large_nodes_go_by_themselves_on_a_cpu() -> None:
    size = 4 * 8 * 2 * 2 * 4
    assert kernels(8, size, False) > kernels(8, size + 1, False)


@pytest.mark.parametrize("slots", [(0, 1, 2), (0, None, 1), (0, 0, 0), (None, None, None)])
def test_running_statistics_move_node_by_node(slots: tuple[int | None, ...]) -> None:
    norms = []
    inputs = draw(1, 12, 3, 2, 2).contiguous(memory_format=torch.channels_last)
    for large in (float("inf"), 0):
        norm = StudentBatchNorm(nn.BatchNorm2d(3).double(), Scope(sizes=(4, 4, 4), slots=slots, large=large))
        norm.allocate(3)
        norm(inputs)
        norms.append(norm)
    torch.testing.assert_close(norms[0].running_mean, norms[1].running_mean)
    torch.testing.assert_close(norms[0].running_var, norms[1].running_var)
    moved = norms[0].running_mean.ne(0).any(1).tolist()
    assert moved == [slot in slots for slot in range(3)]
