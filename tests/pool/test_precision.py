"""Layers in bfloat16: the gradients are those of float32 but for rounding, all of them, added up in float32."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from cgl_ignite.backbones import BACKBONES
from cgl_ignite.pool import ModularNetwork, PoolOutput, Unit, modular_layers, network, plan_forward
from cgl_ignite.spec import InputSpec

PATHS = [[0, 0, 0, 0], [0, 1, 1, 1], [1, 0, 1, 0]]
IMITATING = [
    Unit(student, batch, own=student == batch, gradient=student == batch) for student in range(3) for batch in range(3)
]
"""Everyone imitates everyone without a gradient, so that modules run with and without one."""


def make_pool(precision: torch.dtype) -> ModularNetwork:
    backbone = BACKBONES.get("resnet8")(InputSpec("image", (3, 16, 16)), 4, width=8)
    layers = modular_layers(backbone)
    pool = ModularNetwork(layers, [2] * (len(layers) - 1), 1, precision)
    pool.route(torch.tensor(PATHS), [0, 1, 2])
    return pool


def run(pool: ModularNetwork, units: Sequence[Unit] = IMITATING) -> PoolOutput:
    generator = torch.Generator().manual_seed(1)
    batches = [torch.randn(16, 3, 16, 16, generator=generator) for _ in range(3)]
    return pool(batches, plan_forward(pool.routes, units, training=True))


def gradients(pool: ModularNetwork) -> dict[str, Tensor]:
    run(pool)
    sum(logits.square().sum() for logits in run(pool).logits).backward()
    return {name: parameter.grad for name, parameter in pool.named_parameters() if parameter.grad is not None}


def test_gradients_are_those_of_full_precision_but_for_rounding() -> None:
    exact, rounded = gradients(make_pool(torch.float32)), gradients(make_pool(torch.bfloat16))
    assert rounded.keys() == exact.keys()
    assert {gradient.dtype for gradient in rounded.values()} == {torch.float32}
    for name, gradient in rounded.items():
        assert torch.cosine_similarity(gradient.flatten(), exact[name].flatten(), dim=0) > 0.9, name
    everything, expected = (torch.cat([one.flatten() for one in given.values()]) for given in (rounded, exact))
    assert 0.99 < torch.cosine_similarity(everything, expected, dim=0) < 1 - 1e-6


def test_what_losses_and_weights_read_is_in_full_precision() -> None:
    output = run(make_pool(torch.bfloat16))
    assert {logits.dtype for logits in output.logits} == {torch.float32}
    assert {output.features(node).dtype for node in range(len(output.logits))} == {torch.float32}


@pytest.mark.parametrize("large", [0, 2**30], ids=["node by node", "nodes together"])
def test_gradients_of_several_nodes_add_up_in_full_precision(monkeypatch: pytest.MonkeyPatch, large: int) -> None:
    """Rounded after each addition they would be wrong by one part in 500."""
    monkeypatch.setattr(network, "LARGE", large)
    batches = [torch.randn(8, 4, generator=torch.Generator().manual_seed(seed)) for seed in range(6)]

    def gradient(chosen: list[int]) -> Tensor:
        pool = ModularNetwork([lambda: nn.Linear(4, 3)], [1], 1, torch.bfloat16)
        pool.route(torch.zeros(6, 1, dtype=torch.int64), range(6))
        units = [Unit(student, place, own=True, gradient=True) for place, student in enumerate(chosen)]
        output = pool([batches[k] for k in chosen], plan_forward(pool.routes, units, training=True))
        sum(logits.sum() for logits in output.logits).backward()
        return pool.layers[0][0].weight.grad

    alone = torch.stack([gradient([k]) for k in range(6)]).double().sum(dim=0)
    tolerance = 1e-5 if not large else 1e-2
    torch.testing.assert_close(gradient(list(range(6))).double(), alone, rtol=tolerance, atol=tolerance)
