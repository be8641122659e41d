"""The references themselves: what the papers' formulas imply, and that they are ordinary networks."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.equivalence.methods import optimizers
from tests.equivalence.methods.formulas import cross_entropy, divergence, ramp
from tests.equivalence.methods.networks import HEADS, HIDDEN, WIDTH, Attention, normed


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_formulas_are_pytorchs() -> None:
    logits, teacher, labels = normal(6, 5), 3 * normal(6, 5).flip(0), torch.arange(6) % 5
    torch.testing.assert_close(cross_entropy(logits, labels), F.cross_entropy(logits, labels))
    expected = F.kl_div(F.log_softmax(logits / 3, 1), F.softmax(teacher / 3, 1), reduction="batchmean")
    torch.testing.assert_close(divergence(teacher, logits, 3), expected)
    assert [round(ramp(epoch, 4), 4) for epoch in range(6)] == [0.0067, 0.0601, 0.2865, 0.7316, 1.0, 1.0]
    assert ramp(0, 0) == 1
    assert ramp(0, 7) == pytest.approx(math.exp(-5))


def test_the_block_is_pytorchs_layer() -> None:
    theirs = nn.TransformerEncoderLayer(WIDTH, HEADS, HIDDEN, dropout=0.0, batch_first=True).double()
    ours = Attention().double()
    with torch.no_grad():
        for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            other.add_(normal(*other.shape))
            mine.copy_(other)
    values = normal(3, 7, WIDTH)
    torch.testing.assert_close(ours(values), theirs(values))
    torch.testing.assert_close(
        normed(values, torch.ones(WIDTH).double(), torch.zeros(WIDTH).double()), F.layer_norm(values, (WIDTH,))
    )


@pytest.mark.parametrize(
    ("ours", "theirs", "options"),
    [
        (optimizers.SGD, torch.optim.SGD, {"lr": 0.05, "momentum": 0.9}),
        (optimizers.Adam, torch.optim.Adam, {"lr": 0.01}),
    ],
)
def test_optimizers_are_pytorchs(ours, theirs, options) -> None:
    first, second = (nn.Parameter(normal(3, 2)) for _ in range(2))
    mine, other = ours([first]), theirs([second], **options)
    for step in range(4):
        for parameter, optimizer in ((first, mine), (second, other)):
            parameter.grad = None
            (parameter.sin() * (step + 1)).square().sum().backward()
            optimizer.step()
    torch.testing.assert_close(first.detach(), second.detach(), rtol=1e-12, atol=1e-12)
