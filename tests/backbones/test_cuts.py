"""Where networks are cut: equal layers, cuts by name, and what they are called."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from cgl_ignite.backbones.cutting.cuts import _capacity, _chosen
from cgl_ignite.backbones.module import module
from cgl_ignite.pool.cost import measure_layers
from cgl_ignite.spec import InputSpec

SPEC = InputSpec("image", (3, 8, 8))


@given(st.lists(st.integers(0, 20), min_size=1, max_size=8), st.data())
def test_the_largest_layer_is_as_small_as_it_can_be(costs: list[int], data: st.DataObject) -> None:
    layers = data.draw(st.integers(1, len(costs)))
    places = list(range(1, len(costs)))

    def largest(cuts: tuple[int, ...]) -> int:
        return max(sum(costs[start:end]) for start, end in pairwise([0, *cuts, len(costs)]))

    best = min(map(largest, combinations(places, layers - 1)))
    assert _capacity(costs, layers) == best
    chosen = _chosen(places, costs, layers)
    assert (len(chosen), largest(tuple(chosen))) == (layers - 1, best)


def test_equal_blocks_are_layers_of_their_own() -> None:
    cut = module(SPEC, 5, build="tests.networks.Residual", layers=4)
    assert cut.names == ("stem", "blocks.0", "blocks.1", "blocks.2 to functional_dropout_0", "head")


def test_layers_begin_at_the_modules_that_are_named() -> None:
    cut = module(SPEC, 5, build="tests.networks.Residual", layers=("blocks.1", "blocks.2"))
    assert cut.names == ("stem to blocks.0", "blocks.1", "blocks.2 to functional_dropout_0", "head")
    every = module(SPEC, 5, build="tests.networks.Residual", layers=("blocks.*",))
    assert every.names == ("stem", "blocks.0", "blocks.1", "blocks.2 to functional_dropout_0", "head")


def test_layers_are_all_of_the_network() -> None:
    cut = module(SPEC, 5, build="tests.networks.Residual", layers=3)
    whole = cut.layers[0].source.make()
    costs = measure_layers([*cut.layers, cut.classifier], SPEC)
    assert sum(cost.parameters for cost in costs) == sum(parameter.numel() for parameter in whole.parameters())
    assert sum(cost.forward for cost in costs) == 8 * 8 * 9 * (3 * 6 + 3 * 6 * 6) + 6 * 5


def test_the_classifier_and_the_first_convolution_fit_the_data() -> None:
    cut = module(InputSpec("image", (1, 8, 8)), 7, build="tests.networks.Residual", layers=2)
    whole = cut.layers[0].source.make()
    assert whole(torch.zeros(2, 1, 8, 8)).shape == (2, 7)
    kept = module(SPEC, 5, build="tests.networks.Residual", layers=2).layers[0].source
    assert not kept.replaced


def test_modules_of_a_layer_start_differently_and_each_by_its_seed() -> None:
    builder = module(SPEC, 5, build="tests.networks.Residual", layers=2).layers[0]
    drawn = []
    for seed in (1, 2, 1):
        torch.manual_seed(seed)
        drawn.append(nn.utils.parameters_to_vector(builder().parameters()))
    assert torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], drawn[1])


@pytest.mark.parametrize("build", ["plain", "Residual", "ActsFirst", "Children"])
def test_cutting_draws_nothing_from_the_global_generator(build: str) -> None:
    before = torch.get_rng_state()
    module(SPEC, 6, build=f"tests.networks.{build}", layers=2)
    assert torch.equal(torch.get_rng_state(), before)
