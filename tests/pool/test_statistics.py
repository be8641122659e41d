"""Running statistics that are estimated anew: those that an ordinary network would gather on the same batches."""

from __future__ import annotations

import torch
from torch import nn

from cgl_ignite.engine.evaluate import pool_logits
from cgl_ignite.pool import ModularNetwork, extract_student
from cgl_ignite.pool.statistics import estimate_statistics
from cgl_ignite.seeding import stream


def small_pool() -> ModularNetwork:
    layers = [
        lambda: nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Dropout(0.5)),
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)),
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(4 * 16, 2)),
    ]
    pool = ModularNetwork(layers, [2, 2, 2], seed=1)
    pool.route(torch.tensor([[0, 0, 0], [0, 0, 1], [0, 1, 0], [1, 1, 1]]), [0] * 4)
    return pool.eval()


def test_every_path_has_the_statistics_of_an_ordinary_network() -> None:
    pool = small_pool()
    batches = [torch.randn(6, 1, 8, 8, generator=stream(2, "batch", number)) for number in range(3)]
    estimate_statistics(pool, batches)
    inputs = torch.randn(5, 1, 8, 8, generator=stream(2, "inputs"))
    found = pool_logits(pool, inputs)
    for path in range(4):
        network = extract_student(pool, path)
        for part in network.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.reset_running_stats()
                part.momentum = None  # PyTorch's sign for a plain mean
                part.train()
        with torch.no_grad():
            for batch in batches:
                network(batch)
            assert torch.allclose(network.eval()(inputs), found[path], atol=1e-5)


def test_weights_and_mode_stay_as_they_are() -> None:
    pool = small_pool()
    weights = {name: value.clone() for name, value in pool.named_parameters()}
    momenta = [part.momentum for part in pool.modules() if hasattr(part, "momentum")]
    estimate_statistics(pool, [torch.randn(6, 1, 8, 8)])
    assert all(torch.equal(value, weights[name]) for name, value in pool.named_parameters())
    assert [part.momentum for part in pool.modules() if hasattr(part, "momentum")] == momenta
    assert not any(part.training for part in pool.modules())
