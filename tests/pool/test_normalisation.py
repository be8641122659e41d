"""Batch normalisation of several nodes in one call equals PyTorch's layer on each of them."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from torch import Tensor, nn

from cgl_ignite.errors import InputError
from cgl_ignite.pool.normalisation import StudentBatchNorm
from cgl_ignite.pool.scope import Scope

CHANNELS = 3
SHAPES = {nn.BatchNorm1d: (), nn.BatchNorm2d: (2, 3), nn.BatchNorm3d: (2, 1, 2)}


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def plain_norm(kind=nn.BatchNorm2d, affine: bool = True, seed: int = 1):
    norm = kind(CHANNELS, eps=1e-3, momentum=0.3, affine=affine).double()
    if affine:
        with torch.no_grad():
            norm.weight.copy_(draw(seed, CHANNELS))
            norm.bias.copy_(draw(seed + 1, CHANNELS))
    return norm


def student_norm(sizes, slots, kind=nn.BatchNorm2d, affine: bool = True) -> StudentBatchNorm:
    norm = StudentBatchNorm(plain_norm(kind, affine), Scope(sizes=tuple(sizes), slots=tuple(slots)))
    norm.allocate(max([slot for slot in slots if slot is not None], default=0) + 1)
    norm.running_mean.copy_(draw(7, *norm.running_mean.shape))
    norm.running_var.copy_(draw(8, *norm.running_var.shape).abs() + 0.1)
    return norm


@given(
    kind=st.sampled_from(list(SHAPES)),
    sizes=st.lists(st.integers(2, 5), min_size=1, max_size=4),
    slots=st.permutations([0, 1, 2, None]),
    affine=st.booleans(),
    training=st.booleans(),
)
def test_nodes_equal_pytorchs_layer_one_by_one(kind, sizes, slots, affine: bool, training: bool) -> None:
    slots = [slot if training or slot is not None else 3 for slot in slots[: len(sizes)]]
    norm = student_norm(sizes, slots, kind, affine).train(training)
    before = norm.running_mean.clone(), norm.running_var.clone()
    inputs = draw(3, sum(sizes), CHANNELS, *SHAPES[kind]).requires_grad_()
    weights = draw(4, *inputs.shape)
    found = norm(inputs)
    (found * weights).sum().backward()

    plain = plain_norm(kind, affine)
    twin = inputs.detach().clone().requires_grad_()
    moved = set()
    for rows, scale, result, slot in zip(
        twin.split(sizes), weights.split(sizes), found.split(sizes), slots, strict=True
    ):
        plain.train(training)
        with torch.no_grad():
            plain.running_mean.copy_(before[0][slot or 0])
            plain.running_var.copy_(before[1][slot or 0])
        expected = plain(rows)
        torch.testing.assert_close(result, expected)
        (expected * scale).sum().backward()
        if slot is not None:
            moved.add(slot)
            torch.testing.assert_close(norm.running_mean[slot], plain.running_mean)
            torch.testing.assert_close(norm.running_var[slot], plain.running_var)
    torch.testing.assert_close(inputs.grad, twin.grad)
    if affine:
        torch.testing.assert_close(norm.weight.grad, plain.weight.grad)
        torch.testing.assert_close(norm.bias.grad, plain.bias.grad)
    for slot in set(range(len(norm.running_mean))) - (moved if training else set()):
        assert torch.equal(norm.running_mean[slot], before[0][slot])
        assert torch.equal(norm.running_var[slot], before[1][slot])


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("affine", [True, False])
def test_gradients_against_finite_differences(training: bool, affine: bool) -> None:
    norm = student_norm((2, 3), (0, 1), affine=affine).train(training)
    inputs = draw(3, 5, CHANNELS, 2, 2).requires_grad_()
    values = [inputs, *norm.parameters()]
    assert torch.autograd.gradcheck(lambda rows, *_: norm(rows), values)


def test_a_first_layer_wants_no_gradient_of_its_inputs() -> None:
    norm, plain = student_norm((2, 3), (0, 1)), plain_norm()
    inputs = draw(3, 5, CHANNELS, 2, 2)
    norm(inputs).square().sum().backward()
    sum(plain(rows).square().sum() for rows in inputs.split((2, 3))).backward()
    torch.testing.assert_close(norm.weight.grad, plain.weight.grad)
    torch.testing.assert_close(norm.bias.grad, plain.bias.grad)


def test_the_channels_may_lie_last() -> None:
    norm = student_norm((2, 3), (0, 1))
    inputs = draw(3, 5, CHANNELS, 2, 2)
    apart = norm(inputs)
    together = norm(inputs.contiguous(memory_format=torch.channels_last))
    assert together.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(together, apart)


def test_two_passes_through_one_slot_can_both_be_differentiated() -> None:
    """Statistics are moved in place between the passes of one graph."""
    norm, plain = student_norm((3,), (0,)), plain_norm()
    first, second = draw(3, 3, CHANNELS, 2, 2), draw(4, 3, CHANNELS, 2, 2)
    (norm(first).square().sum() + norm(second).exp().sum()).backward()
    (plain(first).square().sum() + plain(second).exp().sum()).backward()
    torch.testing.assert_close(norm.weight.grad, plain.weight.grad)


def test_fresh_rows_have_mean_zero_and_variance_one() -> None:
    norm = student_norm((2,), (0,))
    norm.allocate(4)
    assert torch.equal(norm.running_mean, torch.zeros(4, CHANNELS, dtype=torch.float64))
    assert torch.equal(norm.running_var, torch.ones(4, CHANNELS, dtype=torch.float64))
    assert set(norm.state_dict()) == {"weight", "bias", "running_mean", "running_var"}


@pytest.mark.parametrize("kind", list(SHAPES))
@pytest.mark.parametrize("affine", [True, False])
def test_the_plain_layer_of_a_slot(kind, affine: bool) -> None:
    norm = student_norm((2, 2), (0, 2), kind, affine)
    plain = norm.plain(2)
    assert type(plain) is kind
    assert (plain.eps, plain.momentum, plain.affine) == (1e-3, 0.3, affine)
    assert torch.equal(plain.running_mean, norm.running_mean[2])
    assert torch.equal(plain.running_var, norm.running_var[2])
    inputs = draw(5, 2, CHANNELS, *SHAPES[kind])
    norm.scope.sizes, norm.scope.slots = (2,), (2,)
    torch.testing.assert_close(plain.eval()(inputs), norm.eval()(inputs))
    storages = [
        {value.untyped_storage().data_ptr() for value in (*module.parameters(), *module.buffers())}
        for module in (norm, plain)
    ]
    assert storages[0].isdisjoint(storages[1])


@pytest.mark.parametrize("options", [{"momentum": None}, {"track_running_stats": False}])
def test_norms_without_moving_statistics_are_refused(options: dict) -> None:
    with pytest.raises(InputError, match="needs running statistics with a momentum"):
        StudentBatchNorm(nn.BatchNorm2d(CHANNELS, **options), Scope())


@pytest.mark.parametrize("sizes", [(1,), (3, 1)])
def test_one_value_in_a_channel_has_no_variance(sizes: tuple[int, ...]) -> None:
    scope = Scope(sizes=sizes, slots=(0,) * len(sizes))
    layer = StudentBatchNorm(nn.BatchNorm1d(2), scope)
    with pytest.raises(InputError, match="more than one value in each channel"):
        layer(torch.ones(sum(sizes), 2))
    assert layer.eval()(torch.ones(sum(sizes), 2)).shape == (sum(sizes), 2)
