from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from cgl_ignite.compat import ensure_torchvision
from cgl_ignite.errors import InputError
from cgl_ignite.pool import ModularNetwork, Unit, extract_student, plan_forward
from cgl_ignite.pool.dropout import AddressedDepth, AddressedDropout
from cgl_ignite.pool.scope import Scope

ROWS, WIDTH, P = 4, 50, 0.3


def stem() -> nn.Module:
    return nn.Sequential(nn.Dropout(P), nn.Identity(), nn.Dropout(P))


def body() -> nn.Module:
    return nn.Sequential(nn.Dropout(P))


def make_pool(paths: list[list[int]], seed: int = 1) -> ModularNetwork:
    pool = ModularNetwork([stem, body, body], [3, 3, 3], seed)
    pool.route(torch.tensor(paths), range(len(paths)))
    return pool.train()


def masks(pool: ModularNetwork, *units: tuple[int, int], iteration: int = 1) -> dict[tuple[int, int], Tensor]:
    """Run units on batches of ones: what comes out is the product of all masks on the way."""
    plan = plan_forward(pool.routes, [Unit(*unit, own=True, gradient=True) for unit in units], training=True)
    batches = [torch.ones(ROWS + batch, WIDTH) for batch in range(3)]
    nodes = pool(batches, plan, iteration).logits
    return {unit: nodes[node] for unit, node in plan.outputs.items()}


def mask(dropout: nn.Module, scope: Scope, shape: tuple[int, ...], **where) -> Tensor:
    """Draw one mask at an address."""
    address = {"sizes": shape[:1], "slots": (None,), "batches": (0,), "prefixes": (0,), "draws": 0, **where}
    layer = AddressedDropout(dropout, scope)
    for name, value in address.items():
        setattr(scope, name, value)
    return layer(torch.ones(shape))


@given(
    paths=st.lists(st.lists(st.integers(0, 2), min_size=3, max_size=3), min_size=1, max_size=4),
    data=st.data(),
)
def test_a_unit_among_others_draws_what_it_draws_alone(paths: list[list[int]], data) -> None:
    pool = make_pool(paths)
    pairs = st.tuples(st.integers(0, len(paths) - 1), st.integers(0, 2))
    units = data.draw(st.lists(pairs, min_size=1, max_size=8, unique=True))
    for unit, together in masks(pool, *units).items():
        assert torch.equal(masks(pool, unit)[unit], together)


def test_equal_prefixes_draw_the_same_and_others_do_not() -> None:
    pool = make_pool([[0, 0, 0], [0, 0, 0], [0, 0, 1], [1, 0, 0]])
    drawn = masks(pool, *((student, 0) for student in range(4)))
    assert torch.equal(drawn[0, 0], drawn[1, 0])
    assert not torch.equal(drawn[0, 0], drawn[2, 0])
    assert not torch.equal(drawn[0, 0], drawn[3, 0])


def test_masks_differ_between_batches_iterations_and_seeds() -> None:
    pool, other = make_pool([[0, 0, 0]]), make_pool([[0, 0, 0]], seed=2)
    drawn = [
        masks(pool, (0, 0))[0, 0],
        masks(pool, (0, 1))[0, 1][:ROWS],
        masks(pool, (0, 0), iteration=2)[0, 0],
        masks(other, (0, 0))[0, 0],
    ]
    assert torch.equal(masks(pool, (0, 0))[0, 0], drawn[0])
    for index, first in enumerate(drawn):
        assert not any(torch.equal(first, second) for second in drawn[index + 1 :])


@pytest.mark.parametrize(
    "where",
    [{"layer": 1}, {"draws": 1}, {"iteration": 1}, {"batches": (1,)}, {"prefixes": (1,)}, {"seed": 5}],
    ids=lambda where: next(iter(where)),
)
def test_every_part_of_the_address_counts(where: dict) -> None:
    shape = (ROWS, WIDTH)
    plain = mask(nn.Dropout(P), Scope(), shape)
    assert torch.equal(mask(nn.Dropout(P), Scope(), shape), plain)
    assert not torch.equal(mask(nn.Dropout(P), Scope(), shape, **where), plain)


def test_one_dropout_used_twice_draws_twice() -> None:
    layer = AddressedDropout(nn.Dropout(P), Scope(sizes=(ROWS,), slots=(None,), batches=(0,), prefixes=(0,)))
    assert not torch.equal(layer(torch.ones(ROWS, WIDTH)), layer(torch.ones(ROWS, WIDTH)))


def test_layers_and_positions_of_a_path_draw_independently() -> None:
    """Four dropouts in a row keep a value only if each of them does."""
    pool = make_pool([[0, 0, 0]])
    drawn = torch.stack([masks(pool, (0, 0), iteration=iteration)[0, 0] for iteration in range(50)])
    assert abs((drawn != 0).double().mean().item() - (1 - P) ** 4) < 5 * (0.25 / drawn.numel()) ** 0.5


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_the_rate_and_the_scale(p: float) -> None:
    drawn = mask(nn.Dropout(p), Scope(seed=3), (100, 200))
    kept = drawn != 0
    torch.testing.assert_close(drawn[kept], torch.full_like(drawn[kept], 1 / (1 - p)))
    assert abs(kept.double().mean().item() - (1 - p)) < 5 * (p * (1 - p) / drawn.numel()) ** 0.5


@pytest.mark.parametrize(("p", "left"), [(0.0, 1.0), (1.0, 0.0)])
def test_nothing_or_everything_is_dropped(p: float, left: float) -> None:
    assert torch.equal(mask(nn.Dropout(p), Scope(), (ROWS, WIDTH)), torch.full((ROWS, WIDTH), left))


@pytest.mark.parametrize(
    ("dropout", "shape"),
    [(nn.Dropout1d, (20, 30, 5)), (nn.Dropout2d, (20, 30, 2, 3)), (nn.Dropout3d, (20, 30, 2, 3, 2))],
)
def test_whole_channels_are_dropped(dropout, shape: tuple[int, ...]) -> None:
    drawn = mask(dropout(0.5), Scope(), shape).flatten(2)
    assert torch.equal(drawn, drawn[:, :, :1].expand_as(drawn))
    assert 0.4 < (drawn[:, :, 0] == 0).double().mean() < 0.6


def test_the_gradient_goes_through_the_mask() -> None:
    scope = Scope(sizes=(ROWS,), slots=(None,), batches=(0,), prefixes=(0,))
    inputs = torch.randn(ROWS, WIDTH, requires_grad=True)
    output = AddressedDropout(nn.Dropout(P), scope)(inputs)
    output.sum().backward()
    torch.testing.assert_close(inputs.grad * inputs, output.detach())


def test_evaluation_drops_nothing() -> None:
    pool = make_pool([[0, 0, 0]]).eval()
    plan = plan_forward(pool.routes, [Unit(0, 0, own=False, gradient=False)], training=False)
    inputs = torch.randn(ROWS, WIDTH)
    assert torch.equal(pool([inputs], plan).logits[0], inputs)


def test_a_student_taken_out_has_ordinary_dropout() -> None:
    student = extract_student(make_pool([[2, 1, 0]]), 0)
    found = [part for part in student.modules() if isinstance(part, nn.Dropout)]
    assert [part.p for part in found] == [P] * 4
    assert not any(isinstance(part, AddressedDropout) for part in student.modules())


@pytest.mark.parametrize("kind", [nn.Dropout1d, nn.Dropout2d, nn.Dropout3d])
def test_the_ordinary_layer_is_of_the_same_kind(kind) -> None:
    plain = AddressedDropout(kind(0.2), Scope()).plain()
    assert type(plain) is kind
    assert plain.p == 0.2


@pytest.mark.parametrize("kind", [nn.AlphaDropout, nn.FeatureAlphaDropout])
def test_other_dropouts_are_refused(kind) -> None:
    with pytest.raises(InputError, match=f"{kind.__name__} cannot be addressed"):
        ModularNetwork([lambda: nn.Sequential(kind())], [1], seed=1)


def depth(p: float, mode: str) -> nn.Module:
    ensure_torchvision()
    from torchvision.ops import StochasticDepth

    return StochasticDepth(p, mode)


@pytest.mark.parametrize("mode", ["row", "batch"])
def test_whole_samples_or_whole_nodes_are_dropped(mode: str) -> None:
    scope = Scope(sizes=(40, 40), slots=(None, None), batches=(0, 1), prefixes=(0, 0), seed=2)
    drawn = AddressedDepth(depth(0.5, mode), scope)(torch.ones(80, 5, 2))
    assert torch.equal(drawn, drawn[:, :1, :1].expand_as(drawn))
    assert set(drawn.unique().tolist()) <= {0.0, 2.0}
    for node in drawn[:, 0, 0].split(40):
        assert (node == node[0]).all().item() is (mode == "batch")


def test_depth_is_dropped_in_a_pool_and_an_ordinary_layer_in_a_student() -> None:
    pool = ModularNetwork([lambda: nn.Sequential(depth(0.3, "row"))], [1], seed=1)
    pool.route(torch.tensor([[0]]), [0])
    assert isinstance(pool.layers[0][0][0], AddressedDepth)
    (plain,) = (part for part in extract_student(pool, 0).modules() if type(part).__name__ == "StochasticDepth")
    assert (plain.p, plain.mode) == (0.3, "row")
